/**
 * Owns the page about the calendar's address, which shows deadlines in any calendar program.
 */
import { gql } from "../core/api.js";
import { h } from "../core/dom.js";
import { define } from "../core/element.js";
import { ERRORS, isLimited, listOf, Page, VIEWER } from "./page.js";

const CREATE = gql`mutation CreateCalendar($input: CreateCalendarTokenInput!, $key: String!) { done: createCalendarToken(input: $input) @idempotent(key: $key) { ${ERRORS} path } }`;
const REVOKE = gql`mutation RevokeCalendar($input: RevokeCalendarTokenInput!, $key: String!) { done: revokeCalendarToken(input: $input) @idempotent(key: $key) { ${ERRORS} revoked } }`;

const WHO = gql`query CalendarViewer { viewer { ${VIEWER} } }`;

export class CalendarPage extends Page {
  async load() {
    return this.api.ask(WHO);
  }

  content(/** @type {import("../core/api.js").Answer} */ { viewer }) {
    return h("section", { class: "card stack" },
      h("p", null, this.say("pages.calendarSays")),
      this.byKey(viewer, this.form("calendar", [{ name: "contractIds", hint: "pages.contractIdsHint" }], "pages.createCalendar", ({ contractIds }) => ({
        document: CREATE,
        input: { contractIds: listOf(contractIds) },
        done: ({ path }) => path && this.reveal("pages.newCalendar", new URL(path, location.origin).href),
      }))),
      !(viewer.sessionId && isLimited(viewer)) && this.button("revoke", "pages.revokeCalendar", () => ({ document: REVOKE, input: {} }), { really: true }));
  }
}

define("earnest-page-calendar", CalendarPage);
