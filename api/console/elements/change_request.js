/**
 * Owns `<earnest-change-request>`: what one side asks to change of the plan, before and after, and the answer to it.
 */
import { gql } from "../core/api.js";
import { h, prose, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { refusalText } from "../core/refusals.js";

const CHANGES = gql`query ChangeRequests($id: ID!) {
  viewer { now }
  contract(id: $id) {
    id
    changeRequests(last: 5) {
      nodes {
        id filedBy state message filedAt misfit { changeNumber reason { code message cause details } }
        planBefore { milestoneId position state title purpose deliverables dueOn amount { amount currency } }
        planAfter { milestoneId position state title purpose deliverables dueOn amount { amount currency } }
      }
    }
  }
}`;

export class EarnestChangeRequest extends EarnestElement {
  static document = CHANGES;

  view() {
    if (!this.data) return this.waiting();
    const subject = this.getAttribute("subject");
    const all = [...(this.data.contract?.changeRequests.nodes ?? [])].reverse().filter((one) => !subject || one.id === subject);
    if (all.length === 0) return h("p", { class: "faint" }, this.say("changes.none"));
    return h("div", { class: "stack" }, all.map((request) => this.#request(request)));
  }

  /** @param {Answer} request */
  #request(request) {
    const { id, filedBy, state, message, filedAt, misfit } = request;
    return h("div", { key: id, role: "group", class: "card stack", part: "request", "aria-labelledby": id },
      h("div", { class: "row between" }, h("p", { class: "label", id }, this.say("changes.by", { side: this.say(`side.${filedBy}`) })), h("span", { class: "tag" }, this.say(`change.${state}`))),
      h("p", { class: "faint small" }, this.moment(filedAt)),
      prose(message),
      misfit && h("p", { class: "says" }, this.say("changes.misfit", { number: misfit.changeNumber }), " ", refusalText(this, misfit.reason)),
      request.planBefore && request.planAfter && this.#plans(request.planBefore, request.planAfter),
      state === "OPEN" && h("earnest-actions", { ...this.handedOn, subject: id }));
  }

  /** @param {Answer[]} before @param {Answer[]} after */
  #plans(before, after) {
    const rows = [...after, ...before.filter((one) => !after.some((other) => other.milestoneId === one.milestoneId))];
    return h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": this.say("changes.plan") }, h("table", { class: "small" },
      h("thead", null, h("tr", null, ["field.position", "field.title", "field.amount", "field.dueOn"].map((key) => h("th", { scope: "col" }, this.say(key))))),
      h("tbody", null, rows.map((now) => this.#row(before.find((one) => one.milestoneId === now.milestoneId), after.includes(now) ? now : undefined)))));
  }

  /** @param {Answer | undefined} was @param {Answer | undefined} now */
  #row(was, now) {
    const any = /** @type {Answer} */ (now ?? was);
    const removed = was && (!now || (now.state === "CANCELLED" && was.state !== "CANCELLED"));
    const to = removed ? undefined : now;
    return h("tr", { key: any.milestoneId },
      h("td", null, this.#change(was?.position, to?.position)),
      h("td", null, this.#change(was?.title, to?.title), this.#more(was, to)),
      h("td", { class: "number" }, this.#change(was && this.money(was.amount), to && this.money(to.amount))),
      h("td", null, this.#change(was && this.day(was.dueOn), to && this.day(to.dueOn))));
  }

  /** What stands in no column of its own. @param {Answer | undefined} was @param {Answer | undefined} now */
  #more(was, now) {
    const [before, after] = [was, now].map((one) => one && [one.purpose, ...one.deliverables].join("\n"));
    return was && now && before !== after && h("div", { class: "small" }, this.#change(before, after));
  }

  /** One value before and after: struck out, and new, for eyes and for ears. @param {string | number | undefined} was @param {string | number | undefined} now */
  #change(was, now) {
    if (was === now) return words(String(now ?? ""));
    return [
      was !== undefined && h("del", { key: "was", class: "prose" }, h("span", { class: "sr" }, this.say("changes.before"), " "), words(String(was))),
      was !== undefined && now !== undefined && " ",
      now !== undefined && h("ins", { key: "now", class: "prose" }, h("span", { class: "sr" }, this.say("changes.after"), " "), words(String(now))),
    ];
  }
}

define("earnest-change-request", EarnestChangeRequest);
