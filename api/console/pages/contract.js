/**
 * Owns the page of one contract, and on it what a link has prepared.
 */
import { h } from "../core/dom.js";
import { define } from "../core/element.js";
import { Page, to } from "./page.js";
import { preparedBy } from "./prepared.js";

export class ContractPage extends Page {
  content() {
    const said = this.getAttribute("prepared");
    return [
      h("p", { key: "back" }, h("a", { href: to("contracts") }, this.say("pages.back"))),
      said && this.#preparedView(preparedBy(said)),
      h("earnest-contract", { key: this.subject, contract: this.subject, lang: this.language.locale }),
    ];
  }

  /** @param {ReturnType<typeof preparedBy>} prepared */
  #preparedView(prepared) {
    return h("section", { key: "prepared", class: "card stack", "aria-labelledby": "prepared" },
      h("h2", { id: "prepared" }, this.say("pages.prepared")),
      typeof prepared === "string"
        ? h("p", { class: "warn", role: "alert" }, this.say(`pages.prepared.${prepared}`))
        : [
            h("p", { class: "faint" }, this.say("pages.preparedHint")),
            h("earnest-actions", { contract: this.subject, subject: prepared.on, prepared: JSON.stringify(prepared), lang: this.language.locale }),
          ]);
  }
}

define("earnest-page-contract", ContractPage);
