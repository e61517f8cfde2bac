/**
 * Owns how a preview is told: what would be charged, moved and earned, in sums, and what would happen with it.
 */
import { h, words } from "./dom.js";
import { isSome, sum } from "./money.js";

const CHARGES = ["deposit.started", "bonus.started", "payout.started"];
const FEES = ["clientAsked", "clientReturned", "clientEarned", "freelancerEarned"];

/** @param {EarnestElement} element @param {Answer} preview */
export function previewView(element, preview) {
  const sums = [...chargesOf(preview.events), ...movements(preview)];
  return h("div", { class: "tells stack", part: "preview", tabindex: "-1" },
    h("p", { class: "label" }, element.say("preview.title")),
    sums.length === 0 && h("p", null, element.say("preview.nothing")),
    sums.length > 0 && h("dl", { class: "facts" }, sums.map(({ key, label, amount }) => [h("dt", { key }, element.say(label)), h("dd", { key: `${key} =`, class: "number" }, element.money(amount))])),
    feesView(element, preview.fees),
    h("ul", { class: "small" },
      preview.milestones.map((/** @type {Answer} */ change) => milestoneView(element, change)),
      preview.contract && preview.contract.before !== preview.contract.after && h("li", { key: "contract" }, element.say("preview.contract", { state: element.say(`contract.${preview.contract.after}`) })),
      preview.deadlinesStarted.map((/** @type {Answer} */ deadline, /** @type {number} */ at) =>
        h("li", { key: `deadline ${at}` }, element.moment(deadline.at), ": ", element.eventText(deadline.action)))));
}

/** @param {EarnestElement} element @param {Answer} change */
const milestoneView = (element, { milestoneId, title, before, after }) =>
  before?.state !== after.state && h("li", { key: milestoneId }, words(title), ": ", before && `${element.say(`milestone.${before.state}`)} → `, element.say(`milestone.${after.state}`));

/** What would be charged or paid out, in order. @param {Answer[]} events */
export const chargesOf = (events) =>
  events
    .filter((/** @type {Answer} */ event) => CHARGES.includes(event.type))
    .map((/** @type {Answer} */ { type, data }, /** @type {number} */ at) => ({ key: `${type} ${at}`, label: `preview.${type}`, amount: data.charge ?? data.amount }));

/** Transfers from one kind of account to another, added up. @param {Answer} preview */
function movements({ transfers }) {
  /** @type {Map<string, Money>} */
  const sums = new Map();
  for (const { debit, credit, amount } of transfers) {
    const label = `to.${kindOf(credit)}`;
    const name = kindOf(debit) === "transit" ? "" : label;
    if (name) sums.set(name, sums.has(name) ? sum(/** @type {Money} */ (sums.get(name)), amount) : amount);
  }
  return [...sums].map(([label, amount]) => ({ key: label, label, amount }));
}

/** What kind of ledger account it is: `payable:con_…:client` is `client`. @param {string} account */
export function kindOf(account) {
  const [kind = "", , side] = account.split(":");
  return kind === "payable" ? (side ?? kind) : kind;
}

/** @param {EarnestElement} element @param {Answer | null} fees */
function feesView(element, fees) {
  const some = fees ? FEES.filter((name) => isSome(fees[name])) : [];
  return some.length > 0 && fees && h("p", { class: "faint small" }, some.map((name) => element.say(`fee.${name}`, { sum: element.money(fees[name]) })).join(" · "));
}
