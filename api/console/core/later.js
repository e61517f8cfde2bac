/**
 * Owns elements whose modules are loaded when one of them is first made or found: a page loads what it shows, and nothing else.
 */

const AGAIN_MS = 2000;

/** Tells `outdated` when the server has another release by now: what this page hasn't loaded yet is there no more. */
export const release = new EventTarget();

/** What a module gives; if it can't be had, the page is told why, where that is known. @template Module @param {() => Promise<Module>} load */
export const fetched = (load) =>
  load().catch(async (error) => {
    const answer = await fetch(import.meta.url, { method: "HEAD", cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" }).catch(() => null);
    if (answer?.status === 410) release.dispatchEvent(new Event("outdated"));
    throw error;
  });

/** @type {Map<string, () => Promise<unknown>>} */
const offered = new Map();

/** Say where elements come from; their modules define them. @param {Record<string, () => Promise<unknown>>} modules by the elements' tags */
export function offer(modules) {
  for (const [tag, load] of Object.entries(modules)) offered.set(tag, load);
}

/** Have the module of an element loaded, if it isn't yet; again after a while, if nobody answered. @param {string} tag */
export function want(tag) {
  const load = offered.get(tag);
  offered.delete(tag);
  if (load) fetched(load).catch(() => setTimeout(() => (offered.set(tag, load), want(tag)), AGAIN_MS));
}

/** Have what stands in the page loaded, now and whenever something is added to it. */
export function wantWhatIsThere() {
  const look = () => [...offered.keys()].filter((tag) => document.getElementsByTagName(tag).length > 0).forEach(want);
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  look();
}
