/**
 * Owns the page for whoever has no session in this tab, or no longer: what to do, and a field for a key.
 */
import { h } from "../core/dom.js";
import { define } from "../core/element.js";
import { Page } from "./page.js";
import { keep } from "./session.js";

export class SignInPage extends Page {
  /** Why there is no session: `over`, `link` for one that was used already, or nothing. */
  get reason() {
    return this.getAttribute("reason");
  }

  content() {
    const use = (/** @type {any} */ event) => {
      event.preventDefault();
      const token = String(new FormData(event.target).get("token") ?? "").trim();
      event.target.reset();
      if (token) keep(token);
    };
    return h("div", { class: "card stack" },
      this.reason && h("p", { class: "says", role: "alert" }, this.say(`pages.signin.${this.reason}`)),
      h("p", null, this.say("pages.signin.link")),
      h("p", null, this.say("pages.signin.sandbox"), " ", h("code", { dir: "ltr" }, ".venv/bin/earnest sessions link --demo client")),
      h("form", { class: "stack", onsubmit: use },
        h("div", { class: "field" },
          h("label", { for: "token" }, this.say("pages.token")),
          h("input", { id: "token", name: "token", type: "password", autocomplete: "off", dir: "ltr", required: true, "aria-describedby": "token-hint" }),
          h("span", { class: "hint", id: "token-hint" }, this.say("pages.tokenHint"))),
        h("p", null, h("button", { class: "main" }, this.say("pages.signIn")))),
      h("p", { class: "row" }, h("a", { href: "/about" }, this.say("pages.about")), h("a", { href: "/docs" }, this.say("pages.docs"))));
  }
}

define("earnest-page-signin", SignInPage);
