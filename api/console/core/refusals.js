/**
 * Owns how a refusal and a hint are said: in the reader's language, with their values as that language writes them. A refusal whose
 * cause has no sentence there is said by its code, and with the server's own words, which are English.
 */
import { h } from "./dom.js";

/** @typedef {import("./dom.js").Child} Child @typedef {Answer & {cause?: string | null}} Said what a server says against something: its `code`, `message` and `details` */

/** Whose states a sentence has, by its cause. @type {Record<string, string>} */
const KINDS = { CONTRACT_STATE: "contract", MILESTONE_STATE: "milestone", ONLY_PLANNED: "milestone", DISPUTE_STATE: "dispute", CHANGE_REQUEST_STATE: "change", ON_HOLD: "hold" };

const STATES = ["contractState", "milestoneState", "state", "hold", "needs"];
const DAYS = ["dueOn", "before", "since", "today"];

/** Why something was refused. @param {EarnestElement} element @param {Said} refusal @returns {Child[]} */
export function refusalText(element, { code, cause, message, details }) {
  const key = `cause.${cause}`;
  if (cause && element.language.has(key)) return [element.say(key, valuesOf(element, details, KINDS[cause]))];
  return [element.say(`error.${code}`), " ", h("bdi", { lang: "en", dir: "auto" }, message)];
}

/** The same with where it is explained; what an element itself says needs no explanation. @param {Refusal} refusal @param {EarnestElement} element */
export const refusalView = (refusal, element) =>
  h("p", { key: `${refusal.field} ${refusal.message}` },
    refusal.documentation ? [...refusalText(element, refusal), " ", element.documentationLink(refusal.documentation)] : refusal.message);

/** What there is to think about. @param {EarnestElement} element @param {Said} hint @returns {Children} */
export function hintText(element, { code, message, details }) {
  const key = `hint.${code}`;
  return element.language.has(key) ? element.say(key, valuesOf(element, details)) : h("bdi", { lang: "en", dir: "auto" }, message);
}

/** @param {EarnestElement} element @param {Record<string, any> | null | undefined} details @param {string} [kind] */
const valuesOf = (element, details, kind) =>
  Object.fromEntries(Object.entries(details ?? {}).map(([name, value]) => [name, valueOf(element, name, value, kind)]));

/** @param {EarnestElement} element @param {string} name @param {any} value @param {string} [kind] @returns {unknown} */
function valueOf(element, name, value, kind) {
  const { locale } = element.language;
  if (Array.isArray(value)) return new Intl.ListFormat(locale, { type: "disjunction" }).format(value.map((one) => String(valueOf(element, name, one, kind))));
  if (STATES.includes(name)) return called(element, `${kind}.${value}`, value);
  if (name === "side" || name === "only") return called(element, `side.${value}`, called(element, `actor.${value}`, value));
  if (name === "role" || name === "scope") return called(element, `${name}.${String(value).toUpperCase().replace(":", "_")}`, value);
  if (name === "barredUntil") return element.at(value);
  if (DAYS.includes(name)) return element.day(value);
  return value?.currency ? element.money(value) : value;
}

/** @param {EarnestElement} element @param {string} key @param {string} otherwise */
const called = (element, key, otherwise) => (element.language.has(key) ? element.say(key) : otherwise);
