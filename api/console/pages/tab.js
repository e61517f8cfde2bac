/**
 * Owns what only this tab remembers; a browser may keep all storage from a page, which then remembers nothing.
 */

/** @type {Storage | undefined} */
export const memory = (() => {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
})();
