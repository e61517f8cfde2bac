/**
 * Owns the fields of forms: how each kind looks, and how what was typed becomes a value of an input.
 */
import { hex } from "./api.js";
import { h } from "./dom.js";
import { refusalView } from "./refusals.js";
import { digitsOf, fromMinor, isAmount, minor, typable, typedMoney } from "./money.js";
import { plainMoney } from "./commands.js";

/**
 * @typedef {object} Filling what a field needs to be shown
 * @property {EarnestElement} element @property {Situation} situation
 * @property {Answer} values what was typed, by the name of the field
 * @property {Refusal[]} refusals
 * @property {(name: string, value: unknown) => void} type
 * @property {string} prefix of the identifiers in this form
 */

/** What the sandbox's provider understands; docs/sandbox.md says what each does. */
const SANDBOX_TOKENS = ["tok_ok", "tok_fail", "tok_slow", "tok_action", "tok_action_confirm", "tok_action_bank", "tok_action_abandoned", "tok_never", "tok_reverse"];

/** A field with its label, its hint and what was said against it. @param {Field} field @param {Filling} filling */
export function fieldView(field, filling) {
  const { element, prefix } = filling;
  const id = `${prefix}-${field.name}`;
  const said = filling.refusals.filter((refusal) => isAbout(refusal, field));
  const hint = hintOf(field, filling);
  const about = [hint && `${id}-hint`, said.length > 0 && `${id}-said`].filter(Boolean).join(" ") || null;
  const props = { id, "aria-describedby": about, "aria-invalid": said.length > 0 ? "true" : null, "aria-required": field.required ? "true" : null };
  return h("div", { class: "field", part: "field", key: field.name },
    h("label", { for: id }, labelOf(field, filling), !field.required && h("span", { class: "faint small" }, ` ${element.say("field.optional")}`)),
    CONTROLS[field.kind](field, filling, props),
    hint && h("span", { class: "hint", id: `${id}-hint` }, hint),
    said.length > 0 && h("div", { class: "says", id: `${id}-said`, role: "alert" }, said.map((refusal) => refusalView(refusal, element))));
}

/**
 * What the element itself says against a field: that it is missing, or nothing that can be sent.
 * @param {EarnestElement} element @param {string} field @param {string | undefined} typed @returns {Refusal}
 */
export const fault = (element, field, typed) =>
  ({ code: "INVALID_INPUT", message: element.say(typed ? "field.malformed" : "field.missing"), field, details: null, documentation: "" });

/** What can't be sent as it was typed. @param {Field[]} fields @param {Filling["values"]} values @param {Situation} situation @param {EarnestElement} element */
export const faultsOf = (fields, values, { contract }, element) =>
  fields.filter((field) => !canBeSent(field, values[field.name], readingOf(element.language.locale, contract.currency))).map((field) => fault(element, field.group ? `${field.group}.${field.name}` : field.name, values[field.name]));

/** How amounts are written where a locale is spoken. @param {string} locale @param {string} currency @returns {Reading} */
export const readingOf = (locale, currency) => (typed) => typedMoney(typed, currency, locale);

/** The prices in rows of milestones. */
const PRICES = /^((?:[^|\n]*\|){3} *)([^|\n]*[^|\s])/gm;

/** What was typed, as another locale writes it: sums are the same ones, and all else, with what is no sum, stands as it was typed. @param {FieldKind} kind @param {any} typed @param {Reading} read @param {string} locale */
export function respelt(kind, typed, read, locale) {
  const sum = (/** @type {string} */ text) => (isAmount(read(text)) ? typable(locale, read(text).amount) : text);
  if (kind === "money" || kind === "split") return sum(typed);
  return kind === "rows" ? typed.replace(PRICES, (/** @type {string} */ _, /** @type {string} */ before, /** @type {string} */ price) => before + sum(price)) : typed;
}

/** @param {Field} field @param {any} typed @param {Reading} read */
function canBeSent(field, typed, read) {
  const value = valueOf(field, typed, read);
  if (value === undefined) return !field.required;
  if (field.kind === "number") return Number.isInteger(value);
  if (field.kind === "rows") return value.every((/** @type {Answer} */ row) => !row.amount || isAmount(row.amount));
  return (field.kind !== "money" && field.kind !== "split") || isAmount(value);
}

/** Whether a refusal is about a field: `amount`, `toFreelancer.amount`, `milestone.title`. @param {Refusal} refusal @param {Field} field */
export const isAbout = (refusal, field) => {
  const path = (refusal.field ?? "").split(".");
  return path[0] === field.name || (path[0] === field.group && path[1] === field.name);
};

/** @param {Field} field @param {Filling} filling */
function labelOf(field, { element, situation }) {
  const money = field.kind === "money" ? ` (${situation.contract.currency})` : "";
  return element.say(`field.${field.name}`) + money;
}

/** @param {Field} field @param {Filling} filling */
function hintOf(field, { element, situation }) {
  if (field.name === "amount" && !field.required && situation.subject.held) return element.say("hint.all", { sum: element.money(situation.subject.held) });
  return element.language.has(`hint.${field.kind}`) ? element.say(`hint.${field.kind}`) : null;
}

/** @typedef {(field: Field, filling: Filling, props: Answer) => Children} Control */

/** @param {string} type @param {Answer} [more] @returns {Control} */
const input = (type, more = {}) => ({ name }, { values, type: typed }, props) =>
  h("input", { ...props, ...more, type, value: values[name] ?? "", oninput: (event) => typed(name, event.target.value) });

/** @type {Control} */
const area = ({ name }, { values, type }, props) =>
  h("textarea", { ...props, rows: "3", dir: "auto", value: values[name] ?? "", oninput: (event) => type(name, event.target.value) });

/** @type {Record<FieldKind, Control>} */
const CONTROLS = {
  text: area,
  links: area,
  lines: area,
  rows: area,
  line: input("text", { dir: "auto" }),
  money: input("text", { inputmode: "decimal", dir: "ltr", autocomplete: "off" }),
  number: input("text", { inputmode: "numeric", dir: "ltr", autocomplete: "off" }),
  date: input("date"),
  files: ({ name }, { type }, props) =>
    h("input", { ...props, type: "file", multiple: true, onchange: (event) => type(name, [...event.target.files]) }),
  choice: ({ name, options = [] }, { element, values, type }, props) =>
    h("select", { ...props, value: values[name] ?? "", onchange: (event) => type(name, event.target.value) },
      h("option", { value: "" }, "–"), options.map((option) => h("option", { value: option, key: option }, element.say(`${name}.${option}`)))),
  token: ({ name }, { element, situation, values, type }, props) =>
    situation.viewer.isSandbox
      ? h("select", { ...props, value: values[name] ?? "", onchange: (event) => type(name, event.target.value) },
          h("option", { value: "" }, element.say("token.none")), SANDBOX_TOKENS.map((token) => h("option", { value: token, key: token }, token)))
      : h("input", { ...props, type: "text", dir: "ltr", autocomplete: "off", value: values[name] ?? "", oninput: (event) => type(name, event.target.value) }),
  split,
};

/** How a sum is split: a slider in hundredths, and the exact sum beside it. @type {Control} */
function split({ name }, { element, situation, values, type }, props) {
  const held = heldOf(situation);
  const { locale } = element.language;
  const share = shareOf(values[name], held, locale);
  const rest = share && fromMinor(minor(held) - minor(share), held);
  const percent = share && minor(held) > 0n ? Number((minor(share) * 100n + minor(held) / 2n) / minor(held)) : 0;
  const told = share ? element.say("split.told", { freelancer: element.money(share), client: element.money(rest) }) : "";
  const slide = (/** @type {any} */ event) => type(name, typable(locale, fromMinor((minor(held) * BigInt(event.target.value)) / 100n, held).amount));
  return h("div", { class: "stack", part: "split" },
    h("input", { type: "range", min: "0", max: "100", step: "1", value: String(percent), oninput: slide, "aria-label": element.say("split.slider"), "aria-valuetext": told }),
    h("input", { ...props, type: "text", inputmode: "decimal", dir: "ltr", autocomplete: "off", value: values[name] ?? "", oninput: (event) => type(name, event.target.value) }),
    h("output", { for: props.id }, told));
}

/** What there is to split. @param {Situation} situation @returns {Money} */
export const heldOf = ({ contract, subject }) => subject.held ?? subject.milestone?.held ?? { amount: "0", currency: contract.currency };

/** @param {string | undefined} typed @param {Money} held @param {string} locale */
function shareOf(typed, held, locale) {
  if (!typed) return null;
  const share = typedMoney(typed, held.currency, locale, digitsOf(held));
  return isAmount(share) && minor(share) <= minor(held) ? share : null;
}

/**
 * The value of a field as the input takes it; undefined if nothing was filled in.
 * @param {Field} field @param {any} typed @param {Reading} read @returns {any}
 */
export function valueOf(field, typed, read) {
  if (field.kind === "files") return typed?.length ? typed : undefined;
  const text = String(typed ?? "");
  if (field.kind === "links" || field.kind === "lines") return typed === undefined ? typed : lines(text); // none, if somebody took away what was there
  if (text.trim() === "") return undefined;
  if (field.kind === "money" || field.kind === "split") return plainMoney(read(text));
  if (field.kind === "number") return Number(text);
  if (field.kind === "rows") return lines(text).map((line) => row(line, read));
  return text;
}

/**
 * What stands in a field for a value of the input: the other way round; undefined for what doesn't fit.
 * @param {Field} field @param {any} value @param {string} currency @param {string} locale @returns {string | undefined}
 */
export function typedOf({ kind, options }, value, currency, locale) {
  if (kind === "money" || kind === "split") return value?.currency === currency && isPlain(value.amount) ? typable(locale, String(value.amount)) : undefined;
  if (kind === "links" || kind === "lines") return Array.isArray(value) && value.every(isPlain) ? value.join("\n") : undefined;
  if (kind === "files" || kind === "rows") return undefined;
  return options?.includes(value) === false ? undefined : plain(value);
}

/** @param {unknown} value */
const isPlain = (value) => ["string", "number"].includes(typeof value);

/** What can be typed of a value; of a thing with parts, nothing. @param {unknown} value */
const plain = (value) => (isPlain(value) ? String(value) : undefined);

/** @param {string} text */
export const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** A milestone as one line: name | title | purpose | price | date. @param {string} line @param {Reading} read */
function row(line, read) {
  const [externalId = "", title, purpose, price, dueOn] = line.split("|").map((cell) => cell.trim() || undefined);
  return { externalId, title, purpose, amount: price && read(price), dueOn };
}

/** What files are called and what is in them, as digests: the files themselves stay where they are. @param {File[]} files */
export const digests = (files) => Promise.all(files.map(async (file) => ({ name: file.name, sha256: await digest(file) })));

/** @param {File} file */
async function digest(file) {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer())));
}
