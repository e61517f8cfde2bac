/**
 * Owns the elements that not every page has: their modules are loaded when such an element is first made or found.
 */

/** @type {Record<string, (() => Promise<unknown>) | undefined>} */
const LATER = {
  "earnest-deliveries": () => import("../elements/deliveries.js"),
  "earnest-plan-editor": () => import("../elements/plan_editor.js"),
};

/** Have the module of an element loaded, if it is one of these. @param {string} tag */
export function want(tag) {
  const load = LATER[tag];
  LATER[tag] = undefined;
  if (load) void load().catch(() => (LATER[tag] = load));
}

/** Have what stands in the page loaded, now and whenever something is added to it. */
export function wantWhatIsThere() {
  const look = () => Object.keys(LATER).filter((tag) => LATER[tag] && document.getElementsByTagName(tag).length > 0).forEach(want);
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
  look();
}
