/**
 * Owns what can be asked of a contract: for each action its document, what its input takes, and which fields a person fills in.
 *
 * Whether an action may be taken, `allowedActions` says; nothing of the law stands here.
 */
import { gql } from "./api.js";

/** @typedef {import("./api.js").Answer} Answer */
/** @typedef {"text" | "line" | "links" | "files" | "money" | "split" | "choice" | "token" | "date" | "lines" | "number" | "rows"} FieldKind */
/**
 * @typedef {object} Field
 * @property {string} name its name in the input
 * @property {FieldKind} kind
 * @property {boolean} [required]
 * @property {string[]} [options] of a choice
 * @property {string} [group] the object of the input that it belongs to
 */
/**
 * @typedef {object} Situation what a form is about
 * @property {Answer} contract @property {Answer} subject @property {Answer} viewer
 */
/**
 * @typedef {object} Command
 * @property {string} mutation @property {string} document
 * @property {string} subject the field of the input that names what it is done to
 * @property {Field[]} fields
 * @property {boolean} [movesMoney] whether its preview has to be seen first
 * @property {"revise" | "change"} [plan] which mode of the plan editor takes its input
 * @property {(situation: Situation) => Answer} [given] what else the input says
 */

const ERRORS = "userErrors { code message field details documentation }";

export const ACCEPT = gql`mutation Accept($input: AcceptContractInput!, $key: String!) { done: acceptContract(input: $input) @idempotent(key: $key) { ${ERRORS} payeeHint } }`;
export const DECLINE = gql`mutation Decline($input: DeclineContractInput!, $key: String!) { done: declineContract(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW = gql`mutation Withdraw($input: WithdrawContractInput!, $key: String!) { done: withdrawContract(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const PROPOSE = gql`mutation Propose($input: ProposeContractInput!, $key: String!) { done: proposeContract(input: $input) @idempotent(key: $key) { ${ERRORS} contract { id } } }`;
export const REVISE = gql`mutation Revise($input: ReviseContractInput!, $key: String!) { done: reviseContract(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const END = gql`mutation End($input: EndContractInput!, $key: String!) { done: endContract(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW_END = gql`mutation WithdrawEnd($input: WithdrawEndInput!, $key: String!) { done: withdrawEnd(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ADD_MILESTONE = gql`mutation AddMilestone($input: AddMilestoneInput!, $key: String!) { done: addMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const EDIT_MILESTONE = gql`mutation EditMilestone($input: EditMilestoneInput!, $key: String!) { done: editMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const MOVE_MILESTONE = gql`mutation MoveMilestone($input: MoveMilestoneInput!, $key: String!) { done: moveMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const REMOVE_MILESTONE = gql`mutation RemoveMilestone($input: RemoveMilestoneInput!, $key: String!) { done: removeMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const IMPORT_MILESTONES = gql`mutation ImportMilestones($input: ImportMilestonesInput!, $key: String!) { done: importMilestones(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const FILE_CHANGE_REQUEST = gql`mutation FileChangeRequest($input: FileChangeRequestInput!, $key: String!) { done: fileChangeRequest(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ACCEPT_CHANGE_REQUEST = gql`mutation AcceptChangeRequest($input: AcceptChangeRequestInput!, $key: String!) { done: acceptChangeRequest(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const DECLINE_CHANGE_REQUEST = gql`mutation DeclineChangeRequest($input: DeclineChangeRequestInput!, $key: String!) { done: declineChangeRequest(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW_CHANGE_REQUEST = gql`mutation WithdrawChangeRequest($input: WithdrawChangeRequestInput!, $key: String!) { done: withdrawChangeRequest(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const FUND = gql`mutation Fund($input: FundMilestoneInput!, $key: String!) { done: fundMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const FUND_CONTRACT = gql`mutation FundContract($input: FundContractInput!, $key: String!) { done: fundContract(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const CANCEL_FUNDING = gql`mutation CancelFunding($input: CancelFundingInput!, $key: String!) { done: cancelFunding(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const SUBMIT = gql`mutation Submit($input: SubmitMilestoneInput!, $key: String!) { done: submitMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const APPROVE = gql`mutation Approve($input: ApproveMilestoneInput!, $key: String!) { done: approveMilestone(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const REQUEST_CHANGES = gql`mutation RequestChanges($input: RequestChangesInput!, $key: String!) { done: requestChanges(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const REQUEST_REFUND = gql`mutation RequestRefund($input: RequestRefundInput!, $key: String!) { done: requestRefund(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW_REFUND = gql`mutation WithdrawRefund($input: WithdrawRefundInput!, $key: String!) { done: withdrawRefund(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ACCEPT_REFUND = gql`mutation AcceptRefund($input: AcceptRefundInput!, $key: String!) { done: acceptRefund(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const DECLINE_REFUND = gql`mutation DeclineRefund($input: DeclineRefundInput!, $key: String!) { done: declineRefund(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const GIVE_REFUND = gql`mutation GiveRefund($input: GiveRefundInput!, $key: String!) { done: giveRefund(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const OPEN_DISPUTE = gql`mutation OpenDispute($input: OpenDisputeInput!, $key: String!) { done: openDispute(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ADD_EVIDENCE = gql`mutation AddEvidence($input: AddEvidenceInput!, $key: String!) { done: addEvidence(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ACCEPT_CLAIM = gql`mutation AcceptClaim($input: AcceptClaimInput!, $key: String!) { done: acceptClaim(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const REJECT_CLAIM = gql`mutation RejectClaim($input: RejectClaimInput!, $key: String!) { done: rejectClaim(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const OFFER_SETTLEMENT = gql`mutation OfferSettlement($input: OfferSettlementInput!, $key: String!) { done: offerSettlement(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW_SETTLEMENT = gql`mutation WithdrawSettlement($input: WithdrawSettlementInput!, $key: String!) { done: withdrawSettlement(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const ACCEPT_SETTLEMENT = gql`mutation AcceptSettlement($input: AcceptSettlementInput!, $key: String!) { done: acceptSettlement(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const WITHDRAW_DISPUTE = gql`mutation WithdrawDispute($input: WithdrawDisputeInput!, $key: String!) { done: withdrawDispute(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const DECIDE_DISPUTE = gql`mutation DecideDispute($input: DecideDisputeInput!, $key: String!) { done: decideDispute(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const RESOLVE_REVERSAL = gql`mutation ResolveReversal($input: ResolveReversalInput!, $key: String!) { done: resolveReversal(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const RESOLVE_ORDER = gql`mutation ResolveOrder($input: ResolveOrderInput!, $key: String!) { done: resolveOrder(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const POST_UPDATE = gql`mutation PostUpdate($input: PostUpdateInput!, $key: String!) { done: postUpdate(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const REQUEST_PAYOUT = gql`mutation RequestPayout($input: RequestPayoutInput!, $key: String!) { done: requestPayout(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;
export const SET_PAYOUTS = gql`mutation SetPayouts($input: SetPayoutsInput!, $key: String!) { done: setPayouts(input: $input) @idempotent(key: $key) { ${ERRORS} } }`;

export const PREVIEW = gql`query Preview($command: CommandInput!) {
  preview(command: $command) {
    refusal { code message field details documentation }
    events { type data }
    transfers { debit credit amount { amount currency } }
    fees { clientAsked { amount currency } clientHeld { amount currency } clientEarned { amount currency } clientReturned { amount currency } freelancerEarned { amount currency } }
    contract { before after }
    milestones { milestoneId title before { state hold } after { state hold } }
    deadlinesStarted { at action inFavourOf }
  }
}`;

/** @type {Field} */ const MESSAGE = { name: "message", kind: "text" };
/** @type {Field[]} */ const LINKS_AND_FILES = [{ name: "links", kind: "links" }, { name: "attachments", kind: "files" }];
/** @type {Field} */ const AMOUNT = { name: "amount", kind: "money" };
/** @type {Field} */ const TOKEN = { name: "paymentToken", kind: "token" };
/** @type {Field} */ const REASON = { name: "reason", kind: "text", required: true };
/** @type {Field} */ const TO_FREELANCER = { name: "toFreelancer", kind: "split", required: true };
/** @type {Field} */ const CLAIM = { name: "claim", kind: "split", required: true };

/** What a milestone is made of, in a form. @param {string} [group] @returns {Field[]} */
const milestoneFields = (group) => [
  { name: "title", kind: "line", required: true, group },
  { name: "purpose", kind: "text", required: true, group },
  { name: "amount", kind: "money", required: true, group },
  { name: "dueOn", kind: "date", required: true, group },
  { name: "deliverables", kind: "lines", group },
];

/** @param {Situation} situation */
const plan = ({ contract }) => ({ expectedVersion: contract.planVersion });

/** On a proposal a deposit names the revision that it means. @param {Situation} situation */
const revision = ({ contract }) => (contract.state === "PROPOSED" ? { revision: contract.revision } : {});

/** Which side of a contract a viewer is on; null for neither. @param {Situation} situation */
export const sideOf = ({ contract, viewer }) =>
  viewer.accountId === contract.client?.id ? "CLIENT" : viewer.accountId === contract.freelancer?.id ? "FREELANCER" : null;

/** @param {Situation} situation */
function othersOffer({ subject, contract, viewer }) {
  const side = sideOf({ subject, contract, viewer });
  const offer = subject.offers?.find((/** @type {Answer} */ one) => one.side !== side);
  return offer ? { toFreelancer: plainMoney(offer.toFreelancer) } : {};
}

/** @param {Answer} money */
export const plainMoney = ({ amount, currency }) => ({ amount, currency });

/** The freelancer names the sum that is given up. @param {Situation} situation */
const givenUp = (situation) =>
  sideOf(situation) === "FREELANCER" ? { givingUp: plainMoney(situation.contract.escrow.held) } : {};

/** @type {Record<string, Command>} */
export const COMMANDS = {
  REVISE: { mutation: "reviseContract", document: REVISE, subject: "contractId", fields: [], plan: "revise" },
  ACCEPT: { mutation: "acceptContract", document: ACCEPT, subject: "contractId", fields: [MESSAGE], movesMoney: true, given: ({ contract }) => ({ revision: contract.revision }) },
  DECLINE: { mutation: "declineContract", document: DECLINE, subject: "contractId", fields: [MESSAGE], movesMoney: true },
  WITHDRAW: { mutation: "withdrawContract", document: WITHDRAW, subject: "contractId", fields: [MESSAGE], movesMoney: true },
  END: { mutation: "endContract", document: END, subject: "contractId", fields: [MESSAGE], movesMoney: true, given: givenUp },
  WITHDRAW_END: { mutation: "withdrawEnd", document: WITHDRAW_END, subject: "contractId", fields: [MESSAGE], movesMoney: true },
  ADD_MILESTONE: { mutation: "addMilestone", document: ADD_MILESTONE, subject: "contractId", fields: [...milestoneFields("milestone"), { name: "position", kind: "number" }, MESSAGE], given: plan },
  EDIT_MILESTONE: { mutation: "editMilestone", document: EDIT_MILESTONE, subject: "milestoneId", fields: [...milestoneFields(), MESSAGE], given: plan },
  MOVE_MILESTONE: { mutation: "moveMilestone", document: MOVE_MILESTONE, subject: "milestoneId", fields: [{ name: "position", kind: "number", required: true }, MESSAGE], given: plan },
  REMOVE_MILESTONE: { mutation: "removeMilestone", document: REMOVE_MILESTONE, subject: "milestoneId", fields: [MESSAGE], given: plan },
  IMPORT_MILESTONES: { mutation: "importMilestones", document: IMPORT_MILESTONES, subject: "contractId", fields: [{ name: "system", kind: "line", required: true }, { name: "rows", kind: "rows", required: true }, MESSAGE], given: plan },
  FILE_CHANGE_REQUEST: { mutation: "fileChangeRequest", document: FILE_CHANGE_REQUEST, subject: "contractId", fields: [], plan: "change" },
  ACCEPT_CHANGE_REQUEST: { mutation: "acceptChangeRequest", document: ACCEPT_CHANGE_REQUEST, subject: "changeRequestId", fields: [MESSAGE], movesMoney: true, given: plan },
  DECLINE_CHANGE_REQUEST: { mutation: "declineChangeRequest", document: DECLINE_CHANGE_REQUEST, subject: "changeRequestId", fields: [MESSAGE] },
  WITHDRAW_CHANGE_REQUEST: { mutation: "withdrawChangeRequest", document: WITHDRAW_CHANGE_REQUEST, subject: "changeRequestId", fields: [MESSAGE] },
  FUND: { mutation: "fundMilestone", document: FUND, subject: "milestoneId", fields: [TOKEN], movesMoney: true, given: revision },
  FUND_CONTRACT: { mutation: "fundContract", document: FUND_CONTRACT, subject: "contractId", fields: [TOKEN], movesMoney: true, given: revision },
  CANCEL_FUNDING: { mutation: "cancelFunding", document: CANCEL_FUNDING, subject: "milestoneId", fields: [], movesMoney: true },
  SUBMIT: { mutation: "submitMilestone", document: SUBMIT, subject: "milestoneId", fields: [{ ...MESSAGE, required: true }, ...LINKS_AND_FILES] },
  APPROVE: { mutation: "approveMilestone", document: APPROVE, subject: "milestoneId", fields: [MESSAGE, AMOUNT, { name: "bonus", kind: "money" }, TOKEN], movesMoney: true },
  REQUEST_CHANGES: { mutation: "requestChanges", document: REQUEST_CHANGES, subject: "milestoneId", fields: [{ name: "note", kind: "text", required: true }] },
  REQUEST_REFUND: { mutation: "requestRefund", document: REQUEST_REFUND, subject: "milestoneId", fields: [AMOUNT, MESSAGE], movesMoney: true },
  WITHDRAW_REFUND: { mutation: "withdrawRefund", document: WITHDRAW_REFUND, subject: "refundId", fields: [MESSAGE] },
  ACCEPT_REFUND: { mutation: "acceptRefund", document: ACCEPT_REFUND, subject: "refundId", fields: [MESSAGE], movesMoney: true },
  DECLINE_REFUND: { mutation: "declineRefund", document: DECLINE_REFUND, subject: "refundId", fields: [REASON, { ...CLAIM, required: false }] },
  GIVE_REFUND: { mutation: "giveRefund", document: GIVE_REFUND, subject: "milestoneId", fields: [AMOUNT, MESSAGE], movesMoney: true },
  OPEN_DISPUTE: { mutation: "openDispute", document: OPEN_DISPUTE, subject: "milestoneId", fields: [CLAIM, REASON], movesMoney: true },
  ADD_EVIDENCE: { mutation: "addEvidence", document: ADD_EVIDENCE, subject: "disputeId", fields: [{ name: "text", kind: "text" }, ...LINKS_AND_FILES] },
  ACCEPT_CLAIM: { mutation: "acceptClaim", document: ACCEPT_CLAIM, subject: "disputeId", fields: [MESSAGE], movesMoney: true },
  REJECT_CLAIM: { mutation: "rejectClaim", document: REJECT_CLAIM, subject: "disputeId", fields: [MESSAGE] },
  OFFER_SETTLEMENT: { mutation: "offerSettlement", document: OFFER_SETTLEMENT, subject: "disputeId", fields: [TO_FREELANCER, MESSAGE] },
  WITHDRAW_SETTLEMENT: { mutation: "withdrawSettlement", document: WITHDRAW_SETTLEMENT, subject: "disputeId", fields: [] },
  ACCEPT_SETTLEMENT: { mutation: "acceptSettlement", document: ACCEPT_SETTLEMENT, subject: "disputeId", fields: [], movesMoney: true, given: othersOffer },
  WITHDRAW_DISPUTE: { mutation: "withdrawDispute", document: WITHDRAW_DISPUTE, subject: "disputeId", fields: [MESSAGE] },
  DECIDE_DISPUTE: { mutation: "decideDispute", document: DECIDE_DISPUTE, subject: "disputeId", fields: [TO_FREELANCER, REASON], movesMoney: true },
  RESOLVE_REVERSAL: { mutation: "resolveReversal", document: RESOLVE_REVERSAL, subject: "depositId", fields: [{ name: "outcome", kind: "choice", required: true, options: ["WON", "WITHDRAWN", "LOST"] }, MESSAGE], movesMoney: true },
  RESOLVE_ORDER: { mutation: "resolveOrder", document: RESOLVE_ORDER, subject: "orderId", fields: [{ name: "outcome", kind: "choice", required: true, options: ["PAID", "NEVER_HAPPENED"] }, MESSAGE], movesMoney: true },
  POST_UPDATE: { mutation: "postUpdate", document: POST_UPDATE, subject: "contractId", fields: [{ ...MESSAGE, required: true }, ...LINKS_AND_FILES] },
  REQUEST_PAYOUT: { mutation: "requestPayout", document: REQUEST_PAYOUT, subject: "contractId", fields: [AMOUNT], movesMoney: true },
  SET_PAYOUTS: { mutation: "setPayouts", document: SET_PAYOUTS, subject: "contractId", fields: [], given: ({ contract }) => ({ automatic: !contract.payoutsAreAutomatic }) },
};
