/**
 * Owns the words of the elements: one catalogue for each language, and how a text gets its values.
 *
 * What is put into a text is somebody's words as often as not, so each value is isolated: its direction of writing stays its own
 * matter, and characters that would turn the rest around are left out.
 */
import { fetched } from "./later.js";

/** @typedef {Record<string, string>} Catalogue @typedef {(key: string, values?: Record<string, unknown>) => string} Texts */
/** @typedef {{language: string, locale: string, direction: "ltr" | "rtl", say: Texts, has: (key: string) => boolean}} Language */

/** @type {Record<string, () => Promise<{default: Catalogue}>>} */
const LOADERS = {
  en: () => import("../texts/en.js"),
  de: () => import("../texts/de.js"),
  ar: () => import("../texts/ar.js"),
};

const RIGHT_TO_LEFT = ["ar", "he", "fa", "ur"];
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** @type {Map<string, Catalogue>} */
const catalogues = new Map();
/** What pages say in their own words, by language. @type {Map<string, Catalogue>} */
const added = new Map();
/** Languages as they are spoken in a locale: the same one as long as its words are the same. @type {Map<string, Language>} */
const spoken = new Map();

/**
 * The language of a place in the page: its nearest `lang`, or what the reader's browser prefers. Its texts are there once they were
 * loaded.
 * @param {Element} element @returns {Language}
 */
export function languageOf(element) {
  const locale = localeOf(element);
  const known = spoken.get(locale) ?? speaking(locale);
  spoken.set(locale, known);
  return known;
}

/** @param {string} locale @returns {Language} */
function speaking(locale) {
  const language = spokenIn(locale);
  const find = (/** @type {string} */ key) => added.get(language)?.[key] ?? catalogues.get(language)?.[key];
  return {
    language,
    locale,
    direction: RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr",
    say: (key, values = {}) => filled(find(key) ?? key, values),
    has: (key) => find(key) !== undefined,
  };
}

/** Get the texts of a place's language, if they aren't there yet. @param {Element} element */
export async function load(element) {
  const language = spokenIn(localeOf(element));
  const loader = LOADERS[language] ?? LOADERS.en;
  if (catalogues.has(language) || !loader) return;
  catalogues.set(language, (await fetched(loader)).default);
  spoken.clear();
}

/**
 * Put one's own words in place of some texts of a language, beside them, or in a language that isn't here.
 * @param {string} language @param {Catalogue} texts
 */
export function addTexts(language, texts) {
  added.set(language, { ...added.get(language), ...texts });
  spoken.clear();
}

/** @param {Element} element */
function localeOf(element) {
  for (let place = /** @type {Element | null} */ (element); place; place = above(place)) {
    const lang = place.getAttribute("lang");
    if (lang) return known(lang);
  }
  return known(navigator.language);
}

/** @param {Element} place @returns {Element | null} */
function above(place) {
  const root = place.getRootNode();
  return place.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

/** @param {string} locale */
const known = (locale) => {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? "en";
  } catch {
    return "en";
  }
};

/** @param {string} locale */
function spokenIn(locale) {
  const language = locale.split("-")[0] ?? "en";
  return added.has(language) || language in LOADERS ? language : "en";
}

/** @param {string} text @param {Record<string, unknown>} values */
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => `\u2068${String(values[name] ?? "").replace(TURNING, "")}\u2069`);
