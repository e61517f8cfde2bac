/**
 * Owns which language the console speaks: the one that was chosen in this tab, or the first of the browser's that it knows.
 */
import { fetched } from "../core/later.js";
import { addTexts, load } from "../core/texts.js";
import { memory } from "./tab.js";

/** Each by its own name. @type {Record<string, string>} */
export const LANGUAGES = { en: "English", de: "Deutsch", ar: "العربية" };

/** @type {Record<string, () => Promise<{default: Record<string, string>}>>} */
const TEXTS = {
  en: () => import("../texts/pages/en.js"),
  de: () => import("../texts/pages/de.js"),
  ar: () => import("../texts/pages/ar.js"),
};

const CHOSEN = "earnest.language";

/** Speak as the reader rather has it. */
export async function speakAsPreferred() {
  const wanted = [memory?.getItem(CHOSEN), ...navigator.languages, "en"];
  await speak(wanted.find((locale) => locale && languageOf(locale) in LANGUAGES) ?? "en", false);
}

/**
 * Speak a language from now on; numbers and dates are written as its locale does.
 * @param {string} locale @param {boolean} [isChosen] whether somebody chose it, so that it lasts as long as this tab
 */
export async function speak(locale, isChosen = true) {
  const language = languageOf(locale);
  const page = document.documentElement;
  page.lang = locale;
  page.dir = language === "ar" ? "rtl" : "ltr";
  await load(page);
  for (const name of new Set(["en", language])) {
    const texts = TEXTS[name];
    if (texts) addTexts(name, (await fetched(texts)).default);
  }
  if (isChosen) memory?.setItem(CHOSEN, locale);
}

/** @param {string} locale */
const languageOf = (locale) => locale.split("-")[0] ?? "en";
