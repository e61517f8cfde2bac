/**
 * Owns what writes numbers, dates and lists in a locale's way, each made once: making one takes longer than all that it writes for a page.
 */

/** @type {Map<string, any>} */
const made = new Map();

/** @template Made @param {new (locale: string, options: any) => Made} kind @param {string} locale @param {object} options @returns {Made} */
const one = (kind, locale, options) => {
  const name = `${kind.name} ${locale} ${JSON.stringify(options)}`;
  const known = made.get(name) ?? new kind(locale, options);
  made.set(name, known);
  return known;
};

/** @param {string} locale @param {Intl.NumberFormatOptions} options */
export const numbers = (locale, options) => one(Intl.NumberFormat, locale, options);

/** @param {string} locale @param {Intl.DateTimeFormatOptions} options */
export const dates = (locale, options) => one(Intl.DateTimeFormat, locale, options);

/** @param {string} locale @param {Intl.ListFormatOptions} options */
export const lists = (locale, options) => one(Intl.ListFormat, locale, options);
