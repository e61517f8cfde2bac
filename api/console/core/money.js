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

/**
 * What somebody has typed, as the API takes it: digits and one point, as many decimals as the currency has. Whatever else it is, the
 * server says what is wrong with it.
 * @param {string} typed @param {string} currency @param {number} [digits] @returns {Money}
 */
export function typedMoney(typed, currency, digits = decimalsOf(currency)) {
  const plain = westernDigits(typed).replace(/[\s\u066c']/g, "").replace("\u066b", ".");
  const text = /^\d+,\d{1,2}$/.test(plain) ? plain.replace(",", ".") : plain.replace(/,(?=\d{3}(\D|$))/g, "");
  const [whole = "", part] = text.split(".");
  if (!/^\d+(\.\d*)?$/.test(text) || (part?.length ?? 0) > digits) return { amount: text, currency };
  return { amount: digits ? `${whole}.${(part ?? "").padEnd(digits, "0")}` : whole, currency };
}

/** @param {string} text */
const westernDigits = (text) => text.replace(/[\u0660-\u0669]/g, (digit) => String(digit.charCodeAt(0) - 0x660));
