/**
 * Owns how this tab gets its session: by a link that is good for one use, by what the tab has kept, or by a token that is put in.
 *
 * The code of a link stands behind `#`, which no browser sends to a server, and is taken out of the address before anything else
 * happens. A token is never in an address, a cookie or a storage that other tabs or later visits have.
 */
import { Api, EarnestSession, addressOf, gql } from "../core/api.js";
import { memory } from "./tab.js";

const CODE = /^#(el_[A-Za-z0-9_-]+)$/;

const OPEN = gql`mutation OpenSession($input: OpenSessionInput!) {
  done: openSession(input: $input) { token userErrors { code message } }
}`;

/** Why the code of a link was no longer good; null if there was none, or it was. @type {string | null} */
export let refusedLink = null;

/** The session of this tab; null if there is none. @returns {Promise<string | null>} */
export async function begin() {
  const [, code] = CODE.exec(location.hash) ?? [];
  if (code) {
    history.replaceState(null, "", location.pathname);
    keep(await opened(code));
  } else {
    EarnestSession.resume();
  }
  return EarnestSession.token;
}

/** Use this token in this tab; none ends it, and has the tab forget what the explorer remembers. @param {string | null} token */
export function keep(token) {
  if (token) return EarnestSession.keep(token);
  for (const name of Object.keys(memory ?? {})) {
    if (name.startsWith("graphiql:")) memory?.removeItem(name);
  }
  EarnestSession.end();
}

/** @param {string} code @returns {Promise<string | null>} */
async function opened(code) {
  try {
    const { done } = await new Api(addressOf(), null).ask(OPEN, { input: { code } });
    refusedLink = done.userErrors[0]?.message ?? null;
    return done.token;
  } catch (error) {
    refusedLink = String(error);
    return null;
  }
}
