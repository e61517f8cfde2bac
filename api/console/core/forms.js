/**
 * Owns the form of one command: what was filled in, its preview, sending it once, and what was refused.
 *
 * Each opening has a key of its own, by which the command is carried out once, however often it is sent. What moves money can be sent
 * only when the preview of exactly this input is shown.
 */
import { EarnestSession, Failed, newKey } from "./api.js";
import { COMMANDS, documentOf, PREVIEW } from "./commands.js";
import { faultsOf, fieldView, isAbout, refusalView, typedOf, valueOf } from "./fields.js";
import { h } from "./dom.js";
import { previewView } from "./previews.js";

const SETTLING_MS = 250;
let opened = 0;

export class Form {
  /** @type {Answer} */ values = {};
  /** @type {Refusal[]} */ refusals = [];
  /** @type {Answer | null} */ preview = null;
  /** @type {Failed | null} */ failure = null;
  isSending = false;
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
    this.values = beginning(this.command, situation);
    this.foresee();
  }

  /** The situation has moved on: what was typed stays, and the preview is made anew. @param {Situation} situation */
  moveOn(situation) {
    this.situation = situation;
    this.foresee();
  }

  /** The command's input, as it would be sent now. @returns {Answer} */
  get input() {
    const { command, situation } = this;
    /** @type {Answer} */
    const input = { [command.subject]: situation.subject.id, ...command.given?.(situation) };
    for (const field of command.fields) {
      const value = valueOf(field, this.values[field.name], situation.contract.currency);
      if (value === undefined) continue;
      if (field.group) input[field.group] = { ...input[field.group], [field.name]: value };
      else input[field.name] = value;
    }
    return input;
  }

  /** Fill in what somebody has prepared, as far as there are fields for it. @param {Answer} prepared the input's values */
  fill(prepared) {
    for (const field of this.command.fields) {
      const value = (field.group ? prepared?.[field.group] : prepared)?.[field.name];
      if (value !== undefined && value !== null) this.values = { ...this.values, [field.name]: typedOf(field, value) };
    }
    this.foresee();
  }

  /** What can't be sent as it was typed. */
  get faults() {
    return faultsOf(this.command.fields, this.values, this.situation, this.element);
  }

  /** Whether it may be sent: not twice at a time, nor unseen if it moves money. */
  get isReady() {
    return !this.isSending && (this.faults.length > 0 || !this.command.movesMoney || (this.preview !== null && !this.preview.refusal));
  }

  /** @param {string} name @param {unknown} value */
  type(name, value) {
    this.values = { ...this.values, [name]: value };
    this.refusals = this.refusals.filter((refusal) => !isAbout(refusal, { name, kind: "text" }));
    this.foresee();
    this.element.render();
  }

  /** Ask what this would do, once the typing has settled and nothing that must be there is missing. */
  foresee() {
    if (!this.command.movesMoney || this.isSending) return;
    this.preview = null;
    this.#previewed += 1;
    clearTimeout(this.#timer);
    if (this.faults.length > 0) return;
    this.#timer = setTimeout(() => void this.#foresee(), this.#previewed === 1 ? 0 : SETTLING_MS);
  }

  async #foresee() {
    const asked = (this.#previewed += 1);
    try {
      const { preview } = await this.element.api.ask(PREVIEW, { command: { [this.command.mutation]: this.input } });
      if (asked !== this.#previewed) return;
      this.preview = preview;
      this.refusals = preview.refusal ? [preview.refusal] : [];
      this.failure = null;
    } catch (error) {
      if (asked === this.#previewed) this.failure = failed(error);
    }
    this.element.render();
  }

  async send() {
    if (!this.isReady) return;
    this.refusals = this.faults;
    if (this.refusals.length > 0) return this.#showFaults();
    this.isSending = true;
    this.element.render();
    try {
      const input = await this.#paid(this.input);
      const done = await this.element.api.command(documentOf(this.command.mutation), input, this.#key);
      this.refusals = done.userErrors;
      this.failure = null;
      if (done.userErrors.length === 0) return this.told.onDone(done);
    } catch (error) {
      this.failure = failed(error);
    } finally {
      this.isSending = false;
      this.element.render();
    }
  }

  #showFaults() {
    this.element.renderNow();
    /** @type {HTMLElement | null} */ (this.element.shadowRoot?.querySelector("form [aria-invalid=true]"))?.focus();
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
    const { element, refusals, command } = this;
    const elsewhere = refusals.filter((refusal) => !command.fields.some((field) => isAbout(refusal, field)));
    const filling = { element, situation: this.situation, values: this.values, refusals, prefix: this.#prefix, type: (/** @type {string} */ name, /** @type {unknown} */ value) => this.type(name, value) };
    const submit = (/** @type {Event} */ event) => (event.preventDefault(), void this.send());
    const escape = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.told.onClose();
    return h("form", { class: "card stack", part: "form", key: this.#prefix, onsubmit: submit, onkeydown: escape, novalidate: true, "aria-labelledby": `${this.#prefix}-title`, "aria-busy": this.isSending ? "true" : null },
      h("p", { class: "label title", id: `${this.#prefix}-title`, tabindex: "-1" }, element.say(`action.${this.action}`)),
      h("p", { class: "faint small" }, element.say(`about.${this.action}`)),
      command.fields.map((field) => fieldView(field, filling)),
      h("div", { key: "foreseen", "aria-live": "polite" }, this.#foreseen()),
      elsewhere.length > 0 && h("div", { key: "refusals", class: "says", role: "alert" }, elsewhere.map((refusal) => refusalView(refusal, element))),
      this.failure && h("p", { key: "failure", class: "says", role: "alert" }, element.say(element.language.has(`failure.${this.failure.code}`) ? `failure.${this.failure.code}` : "failure.OTHER"), " ", h("bdi", { lang: "en" }, this.failure.message)),
      h("div", { key: "buttons", class: "row" },
        h("button", { key: "send", type: "submit", class: "main", part: "confirm", "aria-disabled": this.isReady ? null : "true" }, element.say(this.isSending ? "form.sending" : "form.confirm")),
        h("button", { key: "close", type: "button", onclick: () => this.told.onClose() }, element.say("form.cancel"))));
  }

  #foreseen() {
    if (!this.command.movesMoney) return null;
    if (this.faults.length > 0) return h("p", { class: "faint small" }, this.element.say("preview.fill"));
    if (!this.preview) return this.failure ? null : h("p", { class: "faint small" }, this.element.say("preview.waiting"));
    return this.preview.refusal ? null : previewView(this.element, this.preview);
  }
}

/** What a form begins with: an edit with what is there. @param {Command} command @param {Situation} situation @returns {Answer} */
function beginning({ mutation }, { subject }) {
  if (mutation === "moveMilestone") return { position: String(subject.position) };
  if (mutation !== "editMilestone") return {};
  const { title, purpose, amount, dueOn, deliverables } = subject;
  return { title, purpose, amount: amount?.amount, dueOn, deliverables: deliverables?.join("\n") };
}

/** @param {unknown} error */
const failed = (error) => (error instanceof Failed ? error : new Failed("OTHER", String(error)));
