// Reads the bodies of webhooks by the types that json-schema-to-typescript made, and prints what `reading.py` does.
import { readFileSync } from "node:fs";
import type { AnyBody, EventBody } from "./models.js";
import { KNOWN } from "./known.js";

const isKnown = (body: AnyBody): body is EventBody =>
  Object.hasOwn(KNOWN, body.type) && (body.data.event.version as number) === 1;

const types: Record<string, number> = {};
const others: Record<string, number> = {};
let released = 0n;

function count(counts: Record<string, number>, type: string): void {
  counts[type] = (counts[type] ?? 0) + 1;
}

for (const line of readFileSync(process.argv[2] ?? "", "utf8").trim().split("\n")) {
  const body = JSON.parse(line) as AnyBody;
  if (!isKnown(body)) {
    count(others, body.type);
    continue;
  }
  count(types, body.type);
  switch (body.type) {
    case "milestone.released": {
      const { amount, currency } = body.data.event.data.amount;
      if (currency === "USD") released += BigInt(amount.replace(".", ""));
      break;
    }
    default:
      break;
  }
}

const cents = released.toString().padStart(3, "0");
console.log(JSON.stringify({ types, others, released: `${cents.slice(0, -2)}.${cents.slice(-2)}` }));
