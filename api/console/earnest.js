/**
 * Owns what an embedding page names: loads and registers all elements, and hands out the session.
 */
import { EarnestActions } from "./elements/actions.js";
import { EarnestChangeRequest } from "./elements/change_request.js";
import { EarnestContract } from "./elements/contract.js";
import { EarnestDeadline } from "./elements/deadline.js";
import { EarnestDeliveries } from "./elements/deliveries.js";
import { EarnestDispute } from "./elements/dispute.js";
import { EarnestMilestones } from "./elements/milestones.js";
import { EarnestMoney } from "./elements/money.js";
import { EarnestPlanEditor } from "./elements/plan_editor.js";
import { EarnestTimeline } from "./elements/timeline.js";

export { EarnestSession, apiFor, gql } from "./core/api.js";
export { clockOf } from "./core/clock.js";
export { addTexts } from "./core/texts.js";
export { follow } from "./core/stream.js";
export { watch, refresh } from "./core/watching.js";

/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = {
  "earnest-actions": EarnestActions,
  "earnest-change-request": EarnestChangeRequest,
  "earnest-contract": EarnestContract,
  "earnest-deadline": EarnestDeadline,
  "earnest-deliveries": EarnestDeliveries,
  "earnest-dispute": EarnestDispute,
  "earnest-milestones": EarnestMilestones,
  "earnest-money": EarnestMoney,
  "earnest-plan-editor": EarnestPlanEditor,
  "earnest-timeline": EarnestTimeline,
};

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (!customElements.get(name)) customElements.define(name, element);
}
