/**
 * Owns what an embedding page names: where each element comes from, so that a page loads those that it shows, and the session.
 */
import { offer, wantWhatIsThere } from "./core/later.js";

export { EarnestSession, apiFor, gql } from "./core/api.js";
export { clockOf } from "./core/clock.js";
export { addTexts } from "./core/texts.js";
export { follow } from "./core/stream.js";
export { watch, refresh } from "./core/watching.js";

offer({
  "earnest-actions": () => import("./elements/actions.js"),
  "earnest-change-request": () => import("./elements/change_request.js"),
  "earnest-contract": () => import("./elements/contract.js"),
  "earnest-deadline": () => import("./elements/deadline.js"),
  "earnest-deliveries": () => import("./elements/deliveries.js"),
  "earnest-dispute": () => import("./elements/dispute.js"),
  "earnest-milestones": () => import("./elements/milestones.js"),
  "earnest-money": () => import("./elements/money.js"),
  "earnest-plan-editor": () => import("./elements/plan_editor.js"),
  "earnest-timeline": () => import("./elements/timeline.js"),
});

wantWhatIsThere();
