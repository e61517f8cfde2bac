/**
 * Lets the operations of our page at the API's address run where they stand: with a key that is put in, and kept in this tab only.
 */
import { EarnestSession } from "../core/api.js";
import { begin, keep } from "../pages/session.js";
import { send } from "./fetching.js";

const ANSWERS_MAX = 20;

/** @param {string} tag @param {Record<string, any>} properties @param {...(Node | string)} children @returns {any} */
function make(tag, properties, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const key = make("input", { id: "key", type: "password", size: 40, autocomplete: "off", spellcheck: false, placeholder: "ek_…" });
key.value = (await begin()) ?? "";
key.addEventListener("change", () => {
  keep(key.value);
  key.value = EarnestSession.token ?? ""; // as it can be sent
  void fillIn();
});

document.querySelector("main h1")?.after(make("p", {}, make("label", { htmlFor: "key" }, "Key, kept in this tab only: "), key));
for (const heading of document.querySelectorAll("main h2")) offer(/** @type {HTMLElement} */ (heading));

void fillIn();

/** Put the identifiers of what the key sees in place of those that stand in the examples. */
async function fillIn() {
  if (!key.value.trim()) return;
  const query = "{ contracts(first: 1) { nodes { id currentMilestone { id } } } }";
  const { data } = await send({ query }, { authorization: `Bearer ${key.value.trim()}` }).catch(() => ({}));
  const [contract] = data?.contracts.nodes ?? [];
  for (const area of document.querySelectorAll("textarea")) {
    if (contract) area.value = area.value.replace(/"ctr_[^"]*"/, `"${contract.id}"`);
    if (contract?.currentMilestone) area.value = area.value.replace(/"mil_[^"]*"/, `"${contract.currentMilestone.id}"`);
  }
}

/** Put what it needs to run an operation below it. @param {HTMLElement} heading */
function offer(heading) {
  const code = heading.nextElementSibling;
  if (!code?.matches("pre")) return;
  const told = code.nextElementSibling?.querySelector("code");
  const title = heading.firstChild?.textContent?.trim() ?? "";
  const variables = make("textarea", { rows: 2, cols: 60, spellcheck: false, value: told?.textContent ?? "{}", ariaLabel: `Variables: ${title}` });
  const button = make("button", { type: "button", ariaLabel: `Run: ${title}` }, "Run");
  const output = make("pre", { tabIndex: 0, hidden: true, ariaLive: "polite", className: "answer" });
  /** @type {AbortController | null} */
  let running = null;
  button.addEventListener("click", async () => {
    running?.abort();
    if (running) return;
    running = new AbortController();
    button.textContent = "Stop";
    await run(code.textContent ?? "", variables.value, output, running.signal);
    running = null;
    button.textContent = "Run";
  });
  code.after(...(told ? [variables] : []), make("p", {}, button), output);
}

/**
 * Show what the server answers, and for a stream the last of its answers.
 * @param {string} query @param {string} variables JSON @param {HTMLElement} output @param {AbortSignal} signal
 */
async function run(query, variables, output, signal) {
  /** @type {string[]} */
  const answers = [];
  const show = (/** @type {unknown} */ answer) => {
    answers.push(JSON.stringify(answer, null, 2));
    output.textContent = answers.slice(-ANSWERS_MAX).join("\n");
  };
  output.hidden = false;
  output.textContent = "…";
  try {
    /** @type {Record<string, string>} */
    const headers = key.value.trim() ? { authorization: `Bearer ${key.value.trim()}` } : {};
    const answer = await send({ query, variables: JSON.parse(variables || "{}") }, headers, signal);
    if (!answer[Symbol.asyncIterator]) return show(answer);
    output.textContent = "Listening …";
    for await (const one of answer) show(one);
  } catch (error) {
    if (!signal.aborted) output.textContent = String(error);
  }
}
