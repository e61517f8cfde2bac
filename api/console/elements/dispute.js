/**
 * Owns `<earnest-dispute>`: what is argued about, what each side claims, offers and brings forward, and how it may end.
 */
import { gql } from "../core/api.js";
import { h, prose, words } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { difference, minor } from "../core/money.js";
import { attached } from "./milestones.js";

const DISPUTES = gql`query Disputes($id: ID!, $shown: Int!, $evidence: Int!) {
  viewer { now }
  contract(id: $id) {
    id
    disputes(last: $shown) {
      pageInfo { hasPreviousPage }
      nodes {
        id state openedBy byHoldLimit claim { amount currency } reason openedAt dueAt silencePays explanation toFreelancer { amount currency }
        clientWithdraws freelancerWithdraws
        milestone { title held { amount currency } }
        offers { side toFreelancer { amount currency } }
        evidence(last: $evidence) { pageInfo { hasPreviousPage } nodes { side number text links attachments { name sha256 } addedAt } }
      }
    }
  }
}`;

const IS_UNDECIDED = ["OPEN", "MEDIATION"];

export class EarnestDispute extends EarnestElement {
  /** How many of each are asked for. */ #shown = { shown: 2, evidence: 20 };

  start() {
    const variables = this.#shown;
    if (this.contract) this.watch({ document: DISPUTES, variables, onData: (data) => this.receive(data) });
  }

  /** A button for what came before. @param {Answer} more how many are asked for then */
  #earlier(more) {
    const show = () => ((this.#shown = { ...this.#shown, ...more }), this.restart());
    return h("button", { key: "earlier", type: "button", onclick: show }, this.say("timeline.earlier"));
  }

  view() {
    if (!this.data) return this.waiting();
    const subject = this.getAttribute("subject");
    const { nodes = [], pageInfo } = this.data.contract?.disputes ?? {};
    const all = [...nodes].reverse().filter((one) => !subject || one.id === subject);
    return h("div", { class: "stack" },
      all.length === 0 && h("p", { key: "none", class: "faint" }, this.say("dispute.none")),
      all.map((dispute) => this.#dispute(dispute)),
      pageInfo?.hasPreviousPage && this.#shown.shown < 15 && this.#earlier({ shown: 15 }));
  }

  /** @param {Answer} dispute */
  #dispute(dispute) {
    const { id, state, milestone, openedAt, reason, byHoldLimit, explanation } = dispute;
    const isUndecided = IS_UNDECIDED.includes(state);
    return h("div", { key: id, role: "group", class: "card stack", part: "dispute", "aria-labelledby": id },
      h("div", { class: "row between" }, h("p", { class: "label", id }, this.say("of.Dispute"), ": ", words(milestone.title)), h("span", { class: "tag warn" }, this.say(`dispute.${state}`))),
      h("p", { class: "faint small" }, byHoldLimit ? this.say("dispute.byHoldLimit") : this.say("dispute.openedBy", { side: this.say(`side.${dispute.openedBy}`) }), " ", this.moment(openedAt)),
      prose(reason),
      isUndecided && h("p", { class: "small" }, this.say(state === "MEDIATION" ? "dispute.mediates" : dispute.silencePays ? "dispute.silencePays" : "dispute.silenceMediates"), " ", this.moment(dispute.dueAt)),
      this.#claims(dispute, isUndecided),
      explanation && h("div", { class: "tells" }, h("strong", null, this.say("dispute.explanation")), prose(explanation)),
      this.#evidence(dispute.evidence),
      isUndecided && h("earnest-actions", { ...this.handedOn, subject: id }));
  }

  /** What each side wants for the freelancer, beside what is held. @param {Answer} dispute @param {boolean} isUndecided */
  #claims({ claim, offers, toFreelancer, milestone, openedBy, clientWithdraws, freelancerWithdraws }, isUndecided) {
    const held = isUndecided ? milestone.held : null;
    return h("ul", { class: "stack" },
      this.#share("claim", this.say("dispute.claim", { side: this.say(`side.${openedBy}`) }), claim, held),
      offers.map((/** @type {Answer} */ offer) => this.#share(offer.side, this.say("dispute.offer", { side: this.say(`side.${offer.side}`) }), offer.toFreelancer, held)),
      toFreelancer && this.#share("outcome", this.say("dispute.outcome"), toFreelancer, held),
      isUndecided && (clientWithdraws || freelancerWithdraws) && h("li", { key: "withdraws", class: "tells" }, this.say("dispute.withdraws", { side: this.say(clientWithdraws ? "side.CLIENT" : "side.FREELANCER") })));
  }

  /** @param {string} key @param {string} label @param {Money} share @param {Money | null} held */
  #share(key, label, share, held) {
    const told = held ? this.say("split.told", { freelancer: this.money(share), client: this.money(difference(held, share)) }) : this.money(share);
    const isBar = held && minor(held) > 0n;
    return h("li", { key }, h("div", { class: "row between" }, h("span", null, label), h("strong", null, told)),
      isBar && h("meter", { class: "bar", min: "0", max: "100", value: String(Number((minor(share) * 100n) / minor(held))), "aria-label": `${label}: ${told}` }));
  }

  /** @param {Answer} page */
  #evidence({ nodes: evidence, pageInfo }) {
    if (evidence.length === 0) return null;
    return h("div", null, h("p", { class: "label" }, this.say("dispute.evidence")),
      pageInfo.hasPreviousPage && this.#shown.evidence < 100 && this.#earlier({ evidence: 100 }),
      h("ol", { class: "stack" }, evidence.map((/** @type {Answer} */ { side, number, text, links, attachments, addedAt }) =>
        h("li", { key: `${side} ${number}` }, h("p", { class: "faint small" }, this.say(`side.${side}`), " · ", this.moment(addedAt)), prose(text), attached(links, attachments)))));
  }
}

define("earnest-dispute", EarnestDispute);
