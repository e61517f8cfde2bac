/**
 * Owns what an address has prepared, `APPROVE/mil_…?{"message":"…"}` behind its contract: reads it, and knows what is no such thing.
 */
import { COMMANDS } from "../core/commands.js";

/** @typedef {{action: string, on: string, values: Answer}} Prepared */

/** How identifiers begin, by the field of an input that names what an action is done to. @type {Record<string, string>} */
const BEGINNINGS = {
  contractId: "ctr", milestoneId: "mil", refundId: "ref", changeRequestId: "chg", disputeId: "dsp", depositId: "dep", orderId: "pay",
};

/**
 * What was meant; or what is wrong with it: an action that there is not, `unknown`; one that can't be done to what is named, `unfit`;
 * values that can't be read, `unreadable`.
 * @param {string} said @returns {Prepared | "unknown" | "unfit" | "unreadable"}
 */
export function preparedBy(said) {
  const [, path = "", values = ""] = /^([^?]*)\??(.*)$/s.exec(said) ?? [];
  const [action = "", on = "", ...more] = path.split("/");
  const command = Object.hasOwn(COMMANDS, action) ? COMMANDS[action] : undefined;
  if (!command) return "unknown";
  if (more.length > 0 || !new RegExp(`^${BEGINNINGS[command.subject]}_[0-9a-z]{26}$`).test(on)) return "unfit";
  const given = values ? readValues(values) : {};
  return given ? { action, on, values: given } : "unreadable";
}

/** @param {string} values @returns {Answer | null} */
function readValues(values) {
  try {
    const given = JSON.parse(decodeURIComponent(values));
    return typeof given === "object" && !Array.isArray(given) ? given : null;
  } catch {
    return null;
  }
}
