/**
 * Owns what can be asked of a contract: for each action its document, what its input takes, and which fields a person fills in.
 *
 * Whether an action may be taken, `allowedActions` says; nothing of the law stands here.
 */
import { gql } from "./api.js";

const ERRORS = "userErrors { code message cause field details documentation }";

/**
 * The document of a command. It is the same for all of them: the input is called like the mutation, and the answer says what was refused.
 * @param {string} mutation
 */
export const documentOf = (mutation) => gql`mutation Command($input: ${capital(mutation)}Input!, $key: String!) {
  done: ${mutation}(input: $input) @idempotent(key: $key) { ${ERRORS} ${BESIDE[mutation] ?? ""} }
}`;

/** @type {Record<string, string>} What else is asked of an answer. */
const BESIDE = { proposeContract: "contract { id }", acceptContract: "payeeHint" };

/** @param {string} word */
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

export const PREVIEW = gql`query Preview($command: CommandInput!) {
  preview(command: $command) {
    refusal { code message cause field details documentation }
    events { type data }
    transfers { debit credit amount { amount currency } }
    fees { clientAsked { amount currency } clientEarned { amount currency } clientReturned { amount currency } freelancerEarned { amount currency } }
    contract { before after }
    milestones { milestoneId title before { state hold } after { state hold } }
    deadlinesStarted { at action }
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
  REVISE: { mutation: "reviseContract", subject: "contractId", fields: [], plan: "revise" },
  ACCEPT: { mutation: "acceptContract", subject: "contractId", fields: [MESSAGE], movesMoney: true, given: ({ contract }) => ({ revision: contract.revision }) },
  DECLINE: { mutation: "declineContract", subject: "contractId", fields: [MESSAGE], movesMoney: true },
  WITHDRAW: { mutation: "withdrawContract", subject: "contractId", fields: [MESSAGE], movesMoney: true },
  END: { mutation: "endContract", subject: "contractId", fields: [MESSAGE], movesMoney: true, given: givenUp },
  WITHDRAW_END: { mutation: "withdrawEnd", subject: "contractId", fields: [MESSAGE], movesMoney: true },
  ADD_MILESTONE: { mutation: "addMilestone", subject: "contractId", fields: [...milestoneFields("milestone"), { name: "position", kind: "number" }, MESSAGE], given: plan },
  EDIT_MILESTONE: { mutation: "editMilestone", subject: "milestoneId", fields: [...milestoneFields(), MESSAGE], given: plan },
  MOVE_MILESTONE: { mutation: "moveMilestone", subject: "milestoneId", fields: [{ name: "position", kind: "number", required: true }, MESSAGE], given: plan },
  REMOVE_MILESTONE: { mutation: "removeMilestone", subject: "milestoneId", fields: [MESSAGE], given: plan },
  IMPORT_MILESTONES: { mutation: "importMilestones", subject: "contractId", fields: [{ name: "system", kind: "line", required: true }, { name: "rows", kind: "rows", required: true }, MESSAGE], given: plan },
  FILE_CHANGE_REQUEST: { mutation: "fileChangeRequest", subject: "contractId", fields: [], plan: "change" },
  ACCEPT_CHANGE_REQUEST: { mutation: "acceptChangeRequest", subject: "changeRequestId", fields: [MESSAGE], movesMoney: true, given: plan },
  DECLINE_CHANGE_REQUEST: { mutation: "declineChangeRequest", subject: "changeRequestId", fields: [MESSAGE] },
  WITHDRAW_CHANGE_REQUEST: { mutation: "withdrawChangeRequest", subject: "changeRequestId", fields: [MESSAGE] },
  FUND: { mutation: "fundMilestone", subject: "milestoneId", fields: [TOKEN], movesMoney: true, given: revision },
  FUND_CONTRACT: { mutation: "fundContract", subject: "contractId", fields: [TOKEN], movesMoney: true, given: revision },
  CANCEL_FUNDING: { mutation: "cancelFunding", subject: "milestoneId", fields: [], movesMoney: true },
  SUBMIT: { mutation: "submitMilestone", subject: "milestoneId", fields: [{ ...MESSAGE, required: true }, ...LINKS_AND_FILES] },
  APPROVE: { mutation: "approveMilestone", subject: "milestoneId", fields: [MESSAGE, AMOUNT, { name: "bonus", kind: "money" }, { ...TOKEN, beside: "bonus" }], movesMoney: true },
  REQUEST_CHANGES: { mutation: "requestChanges", subject: "milestoneId", fields: [{ name: "note", kind: "text", required: true }] },
  REQUEST_REFUND: { mutation: "requestRefund", subject: "milestoneId", fields: [AMOUNT, MESSAGE], movesMoney: true },
  WITHDRAW_REFUND: { mutation: "withdrawRefund", subject: "refundId", fields: [MESSAGE] },
  ACCEPT_REFUND: { mutation: "acceptRefund", subject: "refundId", fields: [MESSAGE], movesMoney: true },
  DECLINE_REFUND: { mutation: "declineRefund", subject: "refundId", fields: [REASON, { ...CLAIM, required: false }] },
  GIVE_REFUND: { mutation: "giveRefund", subject: "milestoneId", fields: [AMOUNT, MESSAGE], movesMoney: true },
  OPEN_DISPUTE: { mutation: "openDispute", subject: "milestoneId", fields: [CLAIM, REASON], movesMoney: true },
  ADD_EVIDENCE: { mutation: "addEvidence", subject: "disputeId", fields: [{ name: "text", kind: "text" }, ...LINKS_AND_FILES] },
  ACCEPT_CLAIM: { mutation: "acceptClaim", subject: "disputeId", fields: [MESSAGE], movesMoney: true },
  REJECT_CLAIM: { mutation: "rejectClaim", subject: "disputeId", fields: [MESSAGE] },
  OFFER_SETTLEMENT: { mutation: "offerSettlement", subject: "disputeId", fields: [TO_FREELANCER, MESSAGE] },
  WITHDRAW_SETTLEMENT: { mutation: "withdrawSettlement", subject: "disputeId", fields: [] },
  ACCEPT_SETTLEMENT: { mutation: "acceptSettlement", subject: "disputeId", fields: [], movesMoney: true, given: othersOffer },
  WITHDRAW_DISPUTE: { mutation: "withdrawDispute", subject: "disputeId", fields: [MESSAGE] },
  DECIDE_DISPUTE: { mutation: "decideDispute", subject: "disputeId", fields: [TO_FREELANCER, REASON], movesMoney: true },
  RESOLVE_REVERSAL: { mutation: "resolveReversal", subject: "depositId", fields: [{ name: "outcome", kind: "choice", required: true, options: ["WON", "WITHDRAWN", "LOST"] }, MESSAGE], movesMoney: true },
  RESOLVE_ORDER: { mutation: "resolveOrder", subject: "orderId", fields: [{ name: "outcome", kind: "choice", required: true, options: ["PAID", "NEVER_HAPPENED"] }, MESSAGE], movesMoney: true },
  POST_UPDATE: { mutation: "postUpdate", subject: "contractId", fields: [{ ...MESSAGE, required: true }, ...LINKS_AND_FILES] },
  REQUEST_PAYOUT: { mutation: "requestPayout", subject: "contractId", fields: [AMOUNT], movesMoney: true },
  SET_PAYOUTS: { mutation: "setPayouts", subject: "contractId", fields: [], given: ({ contract }) => ({ automatic: !contract.payoutsAreAutomatic }) },
};
