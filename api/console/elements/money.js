/**
 * Owns `<earnest-money>`: where a contract's money is, as a picture of how it flows, as figures, and each transfer.
 */
import { gql } from "../core/api.js";
import { h } from "../core/dom.js";
import { define, EarnestElement } from "../core/element.js";
import { difference, fromMinor, isSome, sum } from "../core/money.js";
import { kindOf } from "../core/previews.js";

/** @typedef {{x: number, y: number, key: string, sum: Money | null}} Box @typedef {{from: string, to: string, sum: Money}} Flow */

const MONEY = gql`query Money($id: ID!) {
  viewer { now }
  contract(id: $id) {
    id
    escrow {
      held { amount currency } released { amount currency } refunded { amount currency } lost { amount currency } bonuses { amount currency }
      clientFeesHeld { amount currency } clientFees { amount currency } freelancerFees { amount currency }
      payable { client { amount currency } freelancer { amount currency } } inTransit { amount currency }
    }
    paymentOrders(last: 100) { nodes { id kind state amount { amount currency } isStuck createdAt } pageInfo { hasPreviousPage } }
    deposits(last: 50) { nodes { id state charge { amount currency } } pageInfo { hasPreviousPage } }
    transfers(last: 25) { nodes { id debit credit amount { amount currency } occurredAt } }
  }
}`;

const BOX = { width: 150, height: 62 };
const CANVAS = { width: 660, height: 250 };
const ORDERS_SHOWN = 10;

export class EarnestMoney extends EarnestElement {
  static document = MONEY;

  view() {
    if (!this.data) return this.waiting();
    const { contract } = this.data;
    if (!contract) return h("p", { class: "faint" }, this.say("notFound"));
    return h("div", { class: "stack" },
      this.#picture(contract),
      this.#figures(contract.escrow),
      contract.paymentOrders.nodes.length > 0 && this.#orders(contract.paymentOrders.nodes),
      contract.transfers.nodes.length > 0 && this.#transfers(contract.transfers.nodes));
  }

  /** @param {Answer} contract */
  #picture(contract) {
    const { boxes, flows } = flowOf(contract);
    if (this.language.direction === "rtl") for (const box of boxes) box.x = CANVAS.width - box.x - BOX.width;
    const told = boxes.filter((box) => box.sum).map((box) => `${this.say(`money.${box.key}`)}: ${this.money(box.sum)}`).join("; ");
    return h("figure", { part: "picture" },
      h("svg", { viewBox: `0 0 ${CANVAS.width} ${CANVAS.height}`, role: "img", "aria-label": `${this.say("money.picture")} ${told}` },
        flows.map((flow) => this.#arrow(flow, boxes)),
        boxes.map((box) => this.#box(box))));
  }

  /** @param {Box} box */
  #box({ x, y, key, sum: amount }) {
    const middle = x + BOX.width / 2;
    return h("g", { key },
      h("rect", { class: "box", x, y, width: BOX.width, height: BOX.height, rx: 6 }),
      h("text", { class: "faint", x: middle, y: y + 25, "text-anchor": "middle" }, this.say(`money.${key}`)),
      h("text", { x: middle, y: y + 46, "text-anchor": "middle", "font-weight": "600" }, this.money(amount)));
  }

  /** @param {Flow} flow @param {Box[]} boxes */
  #arrow({ from, to, sum: amount }, boxes) {
    const [a, b] = [from, to].map((name) => boxes.find(({ key }) => key === name));
    const { path, tip } = pathOf(/** @type {Box} */ (a), /** @type {Box} */ (b));
    const isIdle = !isSome(amount);
    return h("g", { key: `${from} ${to}`, class: isIdle ? "idle" : "flow" },
      h("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": isIdle ? 1 : 2, "stroke-dasharray": isIdle && "4 4" }),
      h("polygon", { fill: "currentColor", points: tip }));
  }

  /** @param {Answer} escrow */
  #figures(escrow) {
    const { payable, inTransit, ...sums } = escrow;
    const figures = Object.entries({ ...sums, payable: payable.freelancer, owed: payable.client, transit: inTransit }).filter(([key, amount]) => key === "held" || isSome(amount));
    return h("dl", { class: "facts", part: "figures" }, figures.map(([key, amount]) => [h("dt", { key }, this.say(`money.${key}`)), h("dd", { key: `${key} =`, class: "number" }, this.money(amount))]));
  }

  /** @param {Answer[]} orders */
  #orders(orders) {
    return h("details", { part: "orders" }, h("summary", null, this.say("money.orders")),
      h("ul", { class: "stack small" }, orders.slice(-ORDERS_SHOWN).reverse().map((order) =>
        h("li", { key: order.id, class: "row between" }, h("span", null, this.say(`order.${order.kind}`), " · ", this.moment(order.createdAt)),
          h("span", null, order.isStuck && h("span", { class: "tag warn" }, this.say("order.stuck")), " ", this.say(`order.${order.state}`), " ", h("strong", { class: "number" }, this.money(order.amount)))))));
  }

  /** @param {Answer[]} transfers */
  #transfers(transfers) {
    return h("details", { part: "transfers" }, h("summary", null, this.say("money.transfers")),
      h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": this.say("money.transfers") }, h("table", { class: "small" },
        h("thead", null, h("tr", null, ["money.when", "money.from", "money.into", "money.sum"].map((key) => h("th", { scope: "col" }, this.say(key))))),
        h("tbody", null, [...transfers].reverse().map((leg) => h("tr", { key: leg.id },
          h("td", null, this.moment(leg.occurredAt)), h("td", null, this.say(`ledger.${kindOf(leg.debit)}`)), h("td", null, this.say(`ledger.${kindOf(leg.credit)}`)), h("td", { class: "number" }, this.money(leg.amount))))))));
  }
}

/** What stands in the picture: where money is, and which ways it went. @param {Answer} contract @returns {{boxes: Box[], flows: Flow[]}} */
function flowOf(contract) {
  const { escrow, paymentOrders } = contract;
  const paidOut = total(paymentOrders.nodes.filter((/** @type {Answer} */ one) => one.kind === "PAYOUT" && one.state === "PAID").map((/** @type {Answer} */ one) => one.amount), escrow.held);
  const isWhole = !paymentOrders.pageInfo.hasPreviousPage; // of some of the payouts there is no sum
  const fees = sum(escrow.clientFees, escrow.freelancerFees);
  const earned = sum(difference(escrow.released, escrow.freelancerFees), escrow.bonuses);
  const elsewhere = total([escrow.held, escrow.released, escrow.lost, escrow.bonuses, escrow.clientFeesHeld, escrow.clientFees], escrow.held);
  const came = cameIn(contract) ?? sum(elsewhere, escrow.refunded);
  const refunded = difference(came, elsewhere);
  const boxes = [
    { key: "deposited", x: 5, y: 20, sum: came }, { key: "held", x: 255, y: 20, sum: sum(escrow.held, escrow.clientFeesHeld) },
    { key: "earned", x: 505, y: 20, sum: earned }, { key: "refunded", x: 5, y: 165, sum: refunded },
    { key: "fees", x: 255, y: 165, sum: fees }, { key: "paidOut", x: 505, y: 165, sum: isWhole ? paidOut : null },
  ];
  const flows = [
    { from: "deposited", to: "held", sum: came }, { from: "held", to: "earned", sum: earned }, { from: "held", to: "refunded", sum: refunded },
    { from: "held", to: "fees", sum: fees }, { from: "earned", to: "paidOut", sum: paidOut },
  ];
  return { boxes, flows };
}

/** @param {Money[]} amounts @param {Money} like */
const total = (amounts, like) => amounts.reduce(sum, fromMinor(0n, like));

/** What the client was charged, fees included; null for whoever sees no deposits, or not all. @param {Answer} contract */
function cameIn({ deposits, escrow }) {
  if (deposits.nodes.length === 0 || deposits.pageInfo.hasPreviousPage) return null;
  return total(deposits.nodes.filter((/** @type {Answer} */ one) => one.state === "CONFIRMED").map((/** @type {Answer} */ one) => one.charge), escrow.held);
}

/** A line from the middle of one box's edge to another's, sideways or downwards, and the tip of its arrow. @param {Box} a @param {Box} b */
function pathOf(a, b) {
  const across = a.y === b.y ? Math.sign(b.x - a.x) : 0;
  const down = across ? 0 : 1;
  const x = b.x + ((1 - across) * BOX.width) / 2;
  const y = b.y + ((1 - down) * BOX.height) / 2;
  const begin = a.y + ((1 + down) * BOX.height) / 2;
  const path = `M${a.x + ((1 + across) * BOX.width) / 2} ${begin}V${(begin + y) / 2}H${x - across * 8}V${y - down * 8}`;
  const tip = `${x},${y} ${x - across * 9 - down * 5},${y - down * 9 - across * 5} ${x - across * 9 + down * 5},${y - down * 9 + across * 5}`;
  return { path, tip };
}

define("earnest-money", EarnestMoney);
