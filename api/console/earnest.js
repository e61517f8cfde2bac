/**
 * Owns what an embedding page names: loads all elements, those that few pages have when they are there, and hands out the session.
 */
import "./elements/actions.js";
import "./elements/change_request.js";
import "./elements/contract.js";
import "./elements/deadline.js";
import "./elements/dispute.js";
import "./elements/milestones.js";
import "./elements/money.js";
import "./elements/timeline.js";
import { wantWhatIsThere } from "./core/later.js";

export { EarnestSession, apiFor, gql } from "./core/api.js";
export { clockOf } from "./core/clock.js";
export { addTexts } from "./core/texts.js";
export { follow } from "./core/stream.js";
export { watch, refresh } from "./core/watching.js";

wantWhatIsThere();
