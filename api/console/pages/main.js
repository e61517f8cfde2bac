/**
 * Starts the console: takes up the session, speaks the reader's language, and shows the page that the address names.
 */
import "../earnest.js";
import { pageTheme } from "../core/theme.js";
import { AccessPage } from "./access.js";
import { CalendarPage } from "./calendar.js";
import { Console } from "./console.js";
import { ContractPage, ProposePage } from "./contract.js";
import { ContractsPage } from "./contracts.js";
import { DeliveriesPage } from "./deliveries.js";
import { MoneyPage } from "./money.js";
import { OperatorPage } from "./operator.js";
import { begin } from "./session.js";
import { SignInPage } from "./signin.js";
import { speakAsPreferred } from "./speech.js";
import { TestClockBar } from "./testclock.js";

const ELEMENTS = {
  "earnest-page-contracts": ContractsPage,
  "earnest-page-contract": ContractPage,
  "earnest-page-propose": ProposePage,
  "earnest-page-money": MoneyPage,
  "earnest-page-deliveries": DeliveriesPage,
  "earnest-page-access": AccessPage,
  "earnest-page-calendar": CalendarPage,
  "earnest-page-operator": OperatorPage,
  "earnest-page-signin": SignInPage,
  "earnest-test-clock": TestClockBar,
  "earnest-console": Console,
};

document.adoptedStyleSheets = [pageTheme];
await begin();
await speakAsPreferred();
for (const [tag, page] of Object.entries(ELEMENTS)) customElements.define(tag, page);
document.body.append(document.createElement("earnest-console"));
