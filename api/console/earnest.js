/**
 * Owns what an embedding page names: loads and registers all elements, and hands out the session.
 */
export { EarnestSession, apiFor, gql } from "./core/api.js";
export { clockOf } from "./core/clock.js";
export { addTexts } from "./core/texts.js";
export { follow } from "./core/stream.js";
export { watch, refresh } from "./core/watching.js";
