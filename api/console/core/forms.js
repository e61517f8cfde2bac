/**
 * Owns the form of one command: what was filled in, its preview, sending it once, and what was refused.
 *
 * Each opening has a key of its own, by which the command is carried out once, however often it is sent. What moves money is sent
 * only when the preview of exactly this input was seen: who confirms while it is asked for waits for it, and looks once more if it
 * tells something else than what was seen.
 */
import { EarnestSession, Failed, newKey } from "./api.js";
import { COMMANDS, documentOf, PREVIEW } from "./commands.js";
import { digests, faultsOf, fieldView, isAbout, readingOf, respelt, typedOf, valueOf } from "./fields.js";
import { h } from "./dom.js";
import { typable } from "./money.js";
import { chargesOf, previewView } from "./previews.js";
import { refusalView } from "./refusals.js";

/** Who types is asked for nothing until they pause. */
const SETTLING_MS = 250;
let opened = 0;

export class Form {
  /** What was typed. @type {Answer} */ #values = {};
  /** By which locale its amounts are written. */ #locale = "";
  /** What was said against what was sent. @type {Refusal[]} */ refusals = [];
  /** What is shown of what would happen; of this very input, if perhaps not of this very moment. @type {Answer | null} */ preview = null;
  /** @type {Failed | null} */ failure = null;
  /** What prepared it and found no place. @type {string[]} */ leftOut = [];
  isSending = false;
  /** Whether it is asked anew what would happen. */ #isForeseeing = false;
  /** Whether somebody confirmed meanwhile. */ #isPressed = false;
  /** Why it wasn't sent: `look` at what nobody saw yet, or at what has `changed`. @type {"look" | "changed" | null} */ #why = null;
  /** What stood in the fields before anybody typed. @type {Answer} */ #begun = {};
  /** The input that the preview is of. */ #foreseen = "";
  #key = newKey();
  #prefix = `form${(opened += 1)}`;
  #previewed = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /**
   * @param {EarnestElement} element where it stands
   * @param {string} action @param {Situation} situation
   * @param {{onDone: (done: Answer) => void, onClose: () => void}} told
   */
  constructor(element, action, situation, told) {
    this.element = element;
    this.action = action;
    this.situation = situation;
    this.told = told;
    this.command = /** @type {Command} */ (COMMANDS[action]);
    this.moveOn(situation);
  }

  /** What was typed, its amounts as the reader's locale writes them by now. @returns {Answer} */
  get values() {
    const { locale } = this.element.language;
    const read = readingOf(this.#locale, this.situation.contract.currency);
    for (const { name, kind } of locale === this.#locale ? [] : this.command.fields) {
      for (const values of [this.#values, this.#begun]) if (values[name]) values[name] = respelt(kind, values[name], read, locale);
    }
    this.#locale = locale;
    return this.#values;
  }

  /** The situation has moved on: what was typed stays, everything else is as it is now, and the preview is made anew. @param {Situation} situation */
  moveOn(situation) {
    const begun = beginning(this.command, situation, this.element.language.locale);
    for (const name in begun) if (this.values[name] === this.#begun[name]) this.values[name] = begun[name];
    this.#begun = begun;
    this.situation = situation;
    this.foresee();
  }

  /** The command's input, as it would be sent now. @returns {Answer} */
  get input() {
    const { command, situation, values } = this;
    const read = readingOf(this.element.language.locale, situation.contract.currency);
    /** @type {Answer} */
    const input = { [command.subject]: situation.subject.id, ...command.given?.(situation) };
    for (const field of command.fields) {
      const value = valueOf(field, values[field.name], read);
      if (value === undefined || (field.beside && !values[field.beside])) continue;
      if (field.group) input[field.group] = { ...input[field.group], [field.name]: value };
      else input[field.name] = value;
    }
    return input;
  }

  /** Fill in what somebody has prepared, as far as it fits into the fields that there are. @param {Answer} prepared the input's values */
  fill(prepared) {
    const given = flat(prepared, new Set(this.command.fields.map(({ group }) => group)));
    for (const field of this.command.fields) {
      const path = field.group ? `${field.group}.${field.name}` : field.name;
      const typed = typedOf(field, given.get(path), this.situation.contract.currency, this.element.language.locale);
      if (typed === undefined) continue;
      this.values[field.name] = typed;
      given.delete(path);
    }
    this.leftOut = [...given.keys()];
    this.foresee();
  }

  /** What can't be sent as it was typed. */
  get faults() {
    return faultsOf(this.command.fields, this.values, this.situation, this.element);
  }

  /** Whether what it would do was seen, as it is now, and isn't refused. */
  get #isSeen() {
    return !this.command.movesMoney || (!this.#isForeseeing && this.preview !== null && !this.preview.refusal);
  }

  /** @param {string} name @param {unknown} value */
  type(name, value) {
    this.values[name] = value;
    this.refusals = this.refusals.filter((refusal) => !isAbout(refusal, { name, kind: "text" }));
    this.#why = null;
    this.#isPressed = false;
    this.foresee(SETTLING_MS);
    this.element.render();
  }

  /** Ask what this would do, unless something that must be there is missing: at once, or when typing has settled. */
  foresee(settlingMs = 0) {
    if (!this.command.movesMoney || this.isSending) return;
    if (JSON.stringify(this.input) !== this.#foreseen) this.preview = null;
    this.#previewed += 1;
    clearTimeout(this.#timer);
    this.#isForeseeing = this.faults.length === 0;
    if (!this.#isForeseeing) return;
    this.#timer = setTimeout(() => void this.#foresee(), settlingMs);
  }

  /** What was confirmed and isn't sent yet won't be: whoever confirmed has left, or may be somebody else by now. */
  leave() {
    clearTimeout(this.#timer);
    this.#previewed += 1;
    this.#isForeseeing = this.#isPressed = false;
  }

  async #foresee() {
    const asked = (this.#previewed += 1);
    const { input, preview: before } = this;
    try {
      const { preview } = await this.element.api.ask(PREVIEW, { command: { [this.command.mutation]: input } });
      if (asked !== this.#previewed) return;
      this.preview = preview;
      this.#foreseen = JSON.stringify(input);
      this.failure = null;
    } catch (error) {
      if (asked !== this.#previewed) return;
      this.failure = failed(error);
    }
    this.#isForeseeing = false;
    if (this.#isPressed) this.#goOn(before);
    this.element.render();
  }

  /** Somebody confirmed while this was asked for: what they saw is still so, or they look again. @param {Answer | null} before */
  #goOn(before) {
    this.#isPressed = false;
    if (this.failure || !this.preview) return;
    const isSame = before !== null && told(before) === told(this.preview);
    if (isSame && !this.preview.refusal) return void this.send();
    this.#why = this.preview.refusal ? null : before ? "changed" : "look";
    this.#show(this.preview.refusal ? "[aria-invalid=true], .says" : "[part=preview]");
  }

  async send() {
    if (this.isSending || this.#isPressed) return;
    this.refusals = this.faults;
    if (this.refusals.length > 0) return this.#show("[aria-invalid=true]");
    if (!this.#isSeen) return this.#wait();
    this.isSending = true;
    this.#why = null;
    this.element.render();
    try {
      const { input } = this;
      if (input.attachments) input.attachments = await digests(input.attachments);
      const done = await this.element.api.command(documentOf(this.command.mutation), await this.#paid(input), this.#key);
      this.refusals = done.userErrors;
      this.failure = null;
      if (done.userErrors.length === 0) return this.told.onDone(done);
    } catch (error) {
      this.failure = failed(error);
    } finally {
      this.isSending = false;
      this.element.render();
    }
    this.foresee();
  }

  /** What was confirmed is carried out once it is known what it would do; if that is asked for by nobody, it is from now on. */
  #wait() {
    this.#isPressed = true;
    if (!this.#isForeseeing) this.foresee();
    this.element.render();
  }

  /** Have somebody look at a place of the form. @param {string} place */
  #show(place) {
    this.element.renderNow();
    /** @type {HTMLElement | null} */ (this.element.shadowRoot?.querySelector(`form ${place}`))?.focus();
  }

  /** With a payment token from the page, if the command takes one and the page has a way to get it. @param {Answer} input */
  async #paid(input) {
    const takesToken = this.command.fields.some((field) => field.kind === "token");
    if (!takesToken || !EarnestSession.payWith || input.paymentToken || (this.action === "APPROVE" && !input.bonus)) return input;
    const charge = this.preview?.events.find((/** @type {Answer} */ event) => event.data.charge)?.data.charge ?? null;
    const paymentToken = await EarnestSession.payWith(charge);
    return paymentToken ? { ...input, paymentToken } : input;
  }

  view() {
    const { element, command, preview } = this;
    const refusals = preview?.refusal && this.refusals.length === 0 ? [preview.refusal] : this.refusals;
    const isBusy = this.isSending || this.#isPressed;
    const elsewhere = refusals.filter((refusal) => !command.fields.some((field) => isAbout(refusal, field)));
    const filling = { element, situation: this.situation, values: this.values, refusals, prefix: this.#prefix, type: (/** @type {string} */ name, /** @type {unknown} */ value) => this.type(name, value) };
    const submit = (/** @type {Event} */ event) => (event.preventDefault(), void this.send());
    const escape = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.told.onClose();
    return h("form", { class: "card stack", part: "form", key: this.#prefix, onsubmit: submit, onkeydown: escape, novalidate: true, "aria-labelledby": this.#prefix, "aria-busy": isBusy ? "true" : null },
      h("p", { class: "label title", id: this.#prefix, tabindex: "-1" }, element.say(`action.${this.action}`)),
      h("p", { class: "faint small" }, element.say(`about.${this.action}`)),
      this.leftOut.length > 0 && h("p", { key: "leftOut", class: "warn", role: "status" }, element.say("form.leftOut", { fields: this.leftOut.join(", ") })),
      command.fields.filter(({ beside }) => !beside || this.values[beside]).map((field) => fieldView(field, filling)),
      this.#why && h("p", { key: "why", class: "warn", role: "alert" }, element.say(`form.${this.#why}`)),
      h("div", { key: "foreseen", "aria-live": "polite", "aria-busy": this.#isForeseeing ? "true" : null }, this.#foreseenView()),
      elsewhere.length > 0 && h("div", { key: "refusals", class: "says", role: "alert", tabindex: "-1" }, elsewhere.map((refusal) => refusalView(refusal, element))),
      this.failure && h("p", { key: "failure", class: "says", role: "alert" }, element.failureText(this.failure)),
      h("div", { key: "buttons", class: "row" },
        h("button", { key: "send", type: "submit", class: "main", part: "confirm", "aria-disabled": isBusy || preview?.refusal ? "true" : null }, element.say(this.isSending ? "form.sending" : this.#isPressed ? "preview.waiting" : "form.confirm")),
        h("button", { key: "close", type: "button", onclick: () => this.told.onClose() }, element.say("form.cancel"))));
  }

  #foreseenView() {
    if (!this.command.movesMoney) return null;
    if (this.faults.length > 0) return h("p", { class: "faint small" }, this.element.say("preview.fill"));
    if (!this.preview) return this.failure ? null : h("p", { class: "faint small" }, this.element.say("preview.waiting"));
    return this.preview.refusal ? null : previewView(this.element, this.preview);
  }
}

/** What a form begins with: an edit with what is there. @param {Command} command @param {Situation} situation @param {string} locale @returns {Answer} */
function beginning({ mutation }, { subject }, locale) {
  if (mutation === "moveMilestone") return { position: String(subject.position) };
  if (mutation !== "editMilestone") return {};
  const { title, purpose, amount, dueOn, deliverables } = subject;
  return { title, purpose, amount: amount && typable(locale, amount.amount), dueOn, deliverables: deliverables?.join("\n") };
}

/** The values of an input by their paths, those of its groups apart. @param {Answer} prepared @param {Set<string | undefined>} groups @returns {Map<string, unknown>} */
function flat(prepared, groups) {
  /** @type {(entry: [string, any]) => [string, any][]} */
  const within = ([name, value]) =>
    groups.has(name) && typeof value === "object" ? Object.entries(value ?? {}).map(([inner, one]) => [`${name}.${inner}`, one]) : [[name, value]];
  return new Map(Object.entries(prepared).flatMap(within).filter(([, value]) => value !== null));
}

/** What a preview tells in sums and states; the moments of deadlines move with the clock, and nobody decides by a second. @param {Answer} preview */
const told = ({ events, transfers, fees, contract, milestones, deadlinesStarted }) =>
  JSON.stringify([chargesOf(events), transfers, fees, contract, milestones, deadlinesStarted.map((/** @type {Answer} */ one) => one.action)]);

/** @param {unknown} error */
const failed = (error) => (error instanceof Failed ? error : new Failed("OTHER", String(error)));
