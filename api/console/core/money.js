/**
 * Owns amounts: how they are shown to a reader, and exact sums of them. Nothing here is a floating-point number.
 */
import { numbers } from "./formats.js";

/** @typedef {{amount: string, currency: string}} Money an amount as the API tells and takes it */

/** An amount as the reader's locale writes it. @param {string} locale @param {Money | null | undefined} money */
export function shown(locale, money) {
  if (!money) return "";
  const digits = digitsOf(money);
  const style = { style: "currency", currency: money.currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return numbers(locale, /** @type {Intl.NumberFormatOptions} */ (style)).format(/** @type {any} */ (money.amount));
}

/** In the smallest units of its currency. @param {Money} money */
export const minor = (money) => BigInt(money.amount.replace(".", ""));

/** @param {Money} money */
export const digitsOf = (money) => money.amount.split(".")[1]?.length ?? 0;

/** @param {bigint} units @param {Money} like whose currency and decimals it has @returns {Money} */
export function fromMinor(units, like) {
  const digits = digitsOf(like);
  const text = (units < 0n ? -units : units).toString().padStart(digits + 1, "0");
  const whole = digits ? `${text.slice(0, -digits)}.${text.slice(-digits)}` : text;
  return { amount: units < 0n ? `-${whole}` : whole, currency: like.currency };
}

/** @param {Money} a @param {Money} b @returns {Money} */
export const sum = (a, b) => fromMinor(minor(a) + minor(b), a);

/** @param {Money} a @param {Money} b @returns {Money} */
export const difference = (a, b) => fromMinor(minor(a) - minor(b), a);

/** @param {Money | null | undefined} money */
export const isSome = (money) => Boolean(money && /[1-9]/.test(money.amount));

/** Whether it can be sent as an amount; whether it is one of this contract's, the server says. @param {Money} money */
export const isAmount = (money) => /^\d{1,20}(\.\d{1,10})?$/.test(money.amount);

/** How many decimals a currency has, as the browser knows it. @param {string} currency */
export function decimalsOf(currency) {
  try {
    return numbers("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;
  } catch {
    return 2;
  }
}

/** Digits in groups, by one sign between all of them. */
const GROUPED = /^[1-9]\d{0,2}([\s.,'\u2019\u066c])(?:\d{2,3}\1)*\d{3}$/;

/**
 * What somebody has typed, as the API takes it: digits and one point, as many decimals as the currency has. `1,250` and `1.250` are two
 * sums: which of them is meant says the reader's locale, and where it knows nothing of the sign it is no amount. Whatever else it is,
 * the server says what is wrong with it.
 * @param {string} typed @param {string} currency @param {string} locale @param {number} [digits] @returns {Money}
 */
export function typedMoney(typed, currency, locale, digits = decimalsOf(currency)) {
  const text = plainly(typed);
  const [, before = text, sign = "", after = ""] = /^(.*)([.,\u066b])(\d*)$/.exec(text) ?? [];
  const { group, decimal } = signsOf(locale);
  const isEither = GROUPED.test(text) && sign !== "" && /^\d+$/.test(before);
  if (isEither && sign !== group && sign !== decimal) return { amount: "", currency };
  const isWhole = GROUPED.test(text) && !(isEither && sign === decimal);
  const [units, part] = isWhole ? [text, ""] : [before, after];
  if (!/^\d+$/.test(units) && !(GROUPED.test(units) && (isWhole || !units.includes(sign)))) return { amount: text, currency };
  const whole = units.replace(/\D/g, "");
  return { amount: digits || part ? `${whole}.${part.padEnd(digits, "0")}` : whole, currency };
}

/** An amount as it stands in a field for somebody to change, so that it is read as what it is. @param {string} locale @param {string} amount */
export const typable = (locale, amount) => amount.replace(".", signsOf(locale).decimal);

/** The signs that a locale writes in amounts. @param {string} locale */
function signsOf(locale) {
  const parts = numbers(locale, { style: "currency", currency: "USD" }).formatToParts(1234567.89);
  const sign = (/** @type {string} */ type) => parts.find((part) => part.type === type)?.value ?? "";
  return { group: sign("group"), decimal: sign("decimal") };
}

/** With western digits, and without the marks that only turn the direction of writing. @param {string} text */
const plainly = (text) =>
  text.replace(/[\u061c\u200e\u200f]/g, "").replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) % 16)).trim();
