/**
 * Owns plans as they are written: rows that somebody edits, and the list of changes that leads from one plan to another.
 */
import { plainMoney } from "./commands.js";
import { isAmount, typable } from "./money.js";
import { lines } from "./fields.js";
import { newKey } from "./api.js";

/** States in which a milestone holds money: only its date and its deliverables may be amended. */
const HELD = ["FUNDED", "ACTIVE", "SUBMITTED", "CHANGES_REQUESTED"];

/** @returns {Row} */
export const emptyRow = () => ({ key: newKey(), id: null, state: "PLANNED", title: "", purpose: "", amount: "", dueOn: "", deliverables: "", isRemoved: false });

/** @param {Answer} milestone @param {string} locale @returns {Row} */
export const rowOf = ({ id, state, title, purpose, amount, dueOn, deliverables }, locale) => ({
  key: id, id, state, title, purpose, amount: typable(locale, amount.amount), dueOn, deliverables: deliverables.join("\n"), isRemoved: false,
});

/** @param {Row} row */
export const isPlanned = (row) => row.state === "PLANNED";
/** @param {Row} row */
export const isAmendable = (row) => HELD.includes(row.state);

/** A row as a milestone of an input; empty fields are left out where a draft may lack them. @param {Row} row @param {Reading} read */
export const milestoneOf = (row, read) => ({
  title: row.title, purpose: row.purpose, amount: read(row.amount), dueOn: row.dueOn, deliverables: lines(row.deliverables),
});

/** A row as a draft that may lack anything; what is no date and no sum yet is left out. @param {Row} row @param {Reading} read */
export function draftOf(row, read) {
  const amount = read(row.amount);
  return {
    title: row.title || null, purpose: row.purpose || null, amount: isAmount(amount) ? amount : null,
    dueOn: /^\d{4}-\d\d-\d\d$/.test(row.dueOn) ? row.dueOn : null, deliverables: lines(row.deliverables),
  };
}

/**
 * What leads from a plan to another, in an order in which it can be carried out: what changes of milestones, then which are taken out,
 * then places and new ones from the first to the last. Positions count closed and removed milestones, so both stay where they are.
 * @param {Row[]} before @param {Row[]} after @param {Reading} read
 * @returns {Answer[]} `ChangeInput`s
 */
export function changesBetween(before, after, read) {
  const known = new Map(before.map((row) => [row.id, row]));
  const kept = after.filter((row) => row.id !== null && !row.isRemoved);
  const edits = kept.map((row) => changeOf(/** @type {Row} */ (known.get(row.id)), row, read)).filter((change) => change !== null);
  const removals = after.filter((row) => row.id !== null && row.isRemoved).map((row) => ({ remove: { milestoneId: row.id } }));
  return [...edits, ...removals, ...placesOf(before, after, read)];
}

/** @param {Row} was @param {Row} now @param {Reading} read */
function changeOf(was, now, read) {
  if (!isPlanned(was) && !isAmendable(was)) return null;
  /** @type {Answer} */
  const change = {};
  if (isPlanned(was) && was.title !== now.title) change.title = now.title;
  if (isPlanned(was) && was.purpose !== now.purpose) change.purpose = now.purpose;
  if (isPlanned(was) && was.amount !== now.amount) change.amount = plainMoney(read(now.amount));
  if (was.dueOn !== now.dueOn) change.dueOn = now.dueOn;
  if (was.deliverables !== now.deliverables) change.deliverables = lines(now.deliverables);
  if (Object.keys(change).length === 0) return null;
  return isPlanned(was) ? { edit: { milestoneId: was.id, ...change } } : { amend: { milestoneId: was.id, ...change } };
}

/** Moves and additions, by carrying each out on a copy of the plan. @param {Row[]} before @param {Row[]} after @param {Reading} read */
function placesOf(before, after, read) {
  const order = before.map((row) => row.key);
  const changes = [];
  for (const [at, row] of after.entries()) {
    if (row.id === null) {
      changes.push({ add: { milestone: milestoneOf(row, read), position: at + 1 } });
      order.splice(at, 0, row.key);
    } else if (order[at] !== row.key && isPlanned(row) && !row.isRemoved) {
      changes.push({ move: { milestoneId: row.id, position: at + 1 } });
      order.splice(order.indexOf(row.key), 1);
      order.splice(at, 0, row.key);
    }
  }
  return changes;
}
