/**
 * Starts the console: takes a link's code out of the address, takes up the session, speaks the reader's language, and shows the page
 * that the address names.
 */
import { isAsking, takeCode } from "./session.js";
import "../earnest.js";
import { EarnestSession } from "../core/api.js";
import { RULES } from "../core/theme.js";
import { Console } from "./console.js";
import { speakAsPreferred } from "./speech.js";

const code = takeCode();
EarnestSession.resume();
const sheet = new CSSStyleSheet();
sheet.replaceSync(RULES.replaceAll(/:host\(\[([^\]]+)\]\)/g, ":root[$1]").replaceAll(":host", ":root"));
document.adoptedStyleSheets = [sheet];
await speakAsPreferred();
customElements.define("earnest-console", Console);
const frame = /** @type {Console} */ (document.createElement("earnest-console"));
if (code || isAsking()) void frame.open(code);
document.body.append(frame);
