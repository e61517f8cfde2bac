/**
 * Owns dates and spans of time as a reader's locale writes them.
 */
import { dates, lists, numbers } from "./formats.js";

/** A calendar date, which is the same everywhere. @param {string} locale @param {string | null | undefined} date */
export const day = (locale, date) =>
  date ? dates(locale, { dateStyle: "medium", timeZone: "UTC" }).format(new Date(`${date}T00:00:00Z`)) : "";

/** A moment, in the reader's own time zone. @param {string} locale @param {string | null | undefined} at */
export const moment = (locale, at) =>
  at ? dates(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at)) : "";

const UNITS = /** @type {const} */ ([["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]]);

/**
 * What is left, in its two greatest units: “3 days, 4 hours”.
 * @param {string} locale @param {number} ms
 */
export function span(locale, ms) {
  let rest = Math.max(0, Math.round(ms / 1000));
  const parts = [];
  for (const [unit, seconds] of UNITS) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0 || (unit === "second" && parts.length === 0)) parts.push(counted(locale, count, unit));
  }
  return lists(locale, { type: "unit", style: "long" }).format(parts.slice(0, 2));
}

/** @param {string} locale @param {number} count @param {string} unit */
const counted = (locale, count, unit) => numbers(locale, { style: "unit", unit, unitDisplay: "long" }).format(count);

/** How long to wait until the shown span changes. @param {number} ms */
export const nextTick = (ms) => (Math.abs(ms) < 3_600_000 ? 1000 : 60_000);
