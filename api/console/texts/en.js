/**
 * Owns the English texts of the elements, after which the other catalogues are made: the same keys, and the same {values} in each text.
 */
export default {
  waiting: "Loading …",
  nothing: "No contract is named.",
  "error.more": "What this means",
  "failure.NETWORK": "The server can’t be reached.",
  "failure.UNAUTHENTICATED": "This session is over.",
  "failure.FORBIDDEN": "This session may not read this.",
  "failure.RATE_LIMITED": "Too much was asked for at once.",
  "failure.OTHER": "Something went wrong.",
};
