/**
 * Owns how this tab gets its session: by a link that is good for one use, by what the tab has kept, or by a token that is put in.
 *
 * The code of a link stands behind `#`, which no browser sends to a server, and is taken out of the address before anything else
 * happens. A token is never in an address, a cookie or a storage that other tabs or later visits have. A link that isn't good takes
 * nothing from who is signed in here, and one that is somebody else's takes the tab only if they are asked.
 */
import { Api, EarnestSession, Failed, KEPT, addressOf, gql, newKey } from "../core/api.js";
import { memory } from "./tab.js";

/** @typedef {{accountId: string, memberId: string | null, sessionId: string | null, name: string, role: string}} Who */
/** @typedef {"opened" | "beside" | "kept" | "used" | "failed"} Came what came of a link: a session here or in another tab, the one that was there, or nothing */
/** @typedef {"replace" | "stay" | "beside"} Choice who the tab is to be: the link's, who is here, or that one while the link's gets a tab of its own */
/** @typedef {(here: Who, there: Who) => Choice | Promise<Choice>} Choose */

/** Where a tab keeps the session of a link that it is still asking about, so that whoever reloads is asked again. */
const ARRIVING = "earnest.arriving";

/** Where a tab keeps the nonce of a link that it is opening, until there is an answer: whoever tries again gets it then. */
const OPENING = "earnest.opening";

const CODE = /^#(el_.*)$/s;

const OPEN = gql`mutation OpenSession($input: OpenSessionInput!) {
  done: openSession(input: $input) { token userErrors { code message } }
}`;
const WHOSE = gql`query Whose { viewer { accountId memberId sessionId role account { name members { id name } } } }`;
const END = gql`mutation EndSession($input: RevokeSessionInput!, $key: String!) { done: revokeSession(input: $input) @idempotent(key: $key) { userErrors { code } } }`;

/** The code of a link in the address, which leaves it at once; null if there is none. @param {string} [before] what stood there before, from `#` on */
export function takeCode(before = "") {
  const [, code] = CODE.exec(location.hash) ?? [];
  if (code) history.replaceState(null, "", location.pathname + location.search + before);
  return code ?? null;
}

/**
 * Open a link. Whoever is signed in stays so, unless the link is good and is theirs, or they choose it.
 * @param {string | null} code null for the link that this tab was asking about when it was loaded anew
 * @param {Choose} choose asked if somebody else is signed in
 * @returns {Promise<Came>}
 */
export async function arrive(code, choose) {
  try {
    const token = code === null ? isAsking() : await opened(code);
    return token ? await settle(token, choose) : "used";
  } catch {
    return "failed";
  }
}

/** The token of a link's session; null if somebody else opened it. @param {string} code @returns {Promise<string | null>} */
async function opened(code) {
  const nonce = memory?.getItem(OPENING) ?? newKey();
  memory?.setItem(OPENING, nonce);
  const { done } = await new Api(addressOf(), null).ask(OPEN, { input: { code, nonce } });
  memory?.removeItem(OPENING);
  return done.token;
}

/** The session of the link that this tab is asking about; null if there is none. */
export const isAsking = () => memory?.getItem(ARRIVING) ?? null;

/** @param {string} token of the link's session @param {Choose} choose @returns {Promise<Came>} */
async function settle(token, choose) {
  const [here, there] = await Promise.all([EarnestSession.token ? whose(EarnestSession.token) : null, whose(token)]);
  if (there === null) return (memory?.removeItem(ARRIVING), "used");
  const isOthers = here !== null && !isSame(here, there);
  if (isOthers) memory?.setItem(ARRIVING, token);
  const choice = isOthers ? await choose(here, there) : "replace";
  memory?.removeItem(ARRIVING);
  if (choice === "beside" && opensBeside(token)) return "beside";
  if (choice !== "replace") return (end(token, there), "kept");
  if (isOthers) forget();
  if (here) end(EarnestSession.token, here);
  keep(token);
  return "opened";
}

/** Have a tab of its own for a session; a browser that opens none says so. A new tab begins with what this one remembers. @param {string} token */
function opensBeside(token) {
  memory?.setItem(KEPT, token);
  const tab = window.open(location.pathname + location.search);
  memory?.setItem(KEPT, EarnestSession.token ?? ""); // whoever is asked is signed in here
  return tab !== null;
}

/** The session of a page that asks by the browser's own means, and is made anew when another one comes. @returns {Promise<string | null>} */
export async function begin() {
  const code = takeCode();
  EarnestSession.resume();
  if (code) await arriveAtOnce(code);
  window.addEventListener("hashchange", async ({ oldURL }) => {
    const another = takeCode(new URL(oldURL).hash);
    if (another && (await arriveAtOnce(another)) === "opened") location.reload();
  });
  return EarnestSession.token;
}

/**
 * Use this token in this tab; none ends it, and has the tab forget what the explorer remembers. What no token has is left out: signs
 * that come along when something is copied can't be sent, so that a tab which kept them would reach nobody any more.
 * @param {string | null} token
 */
export function keep(token) {
  const sent = token?.replace(/[^!-~]/g, "");
  if (sent) return EarnestSession.keep(sent);
  forget();
  EarnestSession.end();
}

/** Have a session end at the server, if it is one and the server can be reached. @param {string | null} token @param {{sessionId: string | null}} whose */
export function end(token, { sessionId }) {
  if (sessionId) new Api(addressOf(), token).command(END, { sessionId }, newKey()).catch(() => null);
}

/** @param {string} code */
async function arriveAtOnce(code) {
  const came = await arrive(code, (here, there) => (confirm(`This tab is signed in as ${here.name}. The link is for ${there.name}. Sign in as ${there.name} instead?`) ? "replace" : "stay"));
  if (came === "used") alert("This link was used already, or is older than 10 minutes. Ask for a new one.");
  if (came === "failed") alert("The link couldn’t be opened, since nobody answered. Try it again.");
  return came;
}

/** Whose session it is; null if it is over. @param {string} token @returns {Promise<Who | null>} */
async function whose(token) {
  try {
    const { viewer } = await new Api(addressOf(), token).ask(WHOSE);
    const { accountId, memberId, sessionId, role, account } = viewer;
    const member = account.members?.find((/** @type {Answer} */ one) => one.id === memberId);
    return { accountId, memberId, sessionId, role, name: member ? `${member.name}, ${account.name}` : account.name };
  } catch (error) {
    if (error instanceof Failed && error.code === "UNAUTHENTICATED") return null;
    throw error;
  }
}

/** @param {Who} one @param {Who} other */
const isSame = (one, other) => one.accountId === other.accountId && one.memberId === other.memberId;

function forget() {
  for (const name of Object.keys(memory ?? {})) {
    if (name.startsWith("graphiql:")) memory?.removeItem(name);
  }
}
