/**
 * Owns making pages: a description of nodes, and the smallest change that makes a page look like it.
 *
 * Nodes are made by `createElement` and words by text nodes, so that no text of anybody's is ever read as markup. What is there
 * already is kept, and with it the focus, the place in a text and what somebody has typed. Attributes that could run something
 * are refused.
 */

import { want } from "./later.js";

/**
 * @typedef {object} Described
 * @property {string} tag
 * @property {Props} props attributes; `onclick` and the like are listeners, `.name` is a property, `key` names it among its siblings
 * @property {Child[]} children
 */
/** @typedef {Described | string | number | null | undefined | false} Child @typedef {Child | Child[] | Child[][]} Children */

const SVG = "http://www.w3.org/2000/svg";
const SVG_TAGS = new Set(["svg", "g", "path", "rect", "text", "polygon"]);
const REFUSED = /^(on|style$|srcdoc$|src$|action$|formaction$|xlink)/i;

/** @type {WeakMap<Node, Described>} */
const described = new WeakMap();

/**
 * Describe an element.
 * @param {string} tag @param {Props | null} [props] @param {...Children} children
 * @returns {Described}
 */
export const h = (tag, props, ...children) => ({ tag, props: props ?? {}, children: /** @type {Child[]} */ (children.flat(2)) });

/** Somebody's words: in a place of their own, so that their direction of writing stays their own matter. @param {string | null} words @param {Record<string, any>} [props] */
export const words = (words, props) => h("bdi", { dir: "auto", ...props }, words ?? "");

/** Somebody's longer text, with its lines. @param {string | null} text */
export const prose = (text) => text && h("p", { class: "prose", dir: "auto" }, text);

/** The address if it is one of the web, otherwise null: a link of anybody's leads there or nowhere. @param {string | null} address */
export function webAddress(address) {
  try {
    const url = new URL(address ?? "");
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A link of somebody's, with its whole address to be seen. @param {string} address */
export function link(address, text = address) {
  const href = webAddress(address);
  return href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", dir: "ltr" }, text) : h("span", { dir: "ltr" }, text);
}

/**
 * Make the children of a node what is described, and change nothing else.
 * @param {Node} parent @param {Children} children
 */
export function patch(parent, children) {
  const wanted = meant(children);
  const spare = keyed(parent, wanted);
  let place = parent.firstChild;
  for (const child of wanted) {
    const node = fitting(spare, place, child);
    if (typeof child === "string") write(node, child);
    else update(/** @type {Element} */ (node), child);
    if (node === place) place = node.nextSibling;
    else parent.insertBefore(node, place);
  }
  while (place) {
    const next = place.nextSibling;
    parent.removeChild(place);
    place = next;
  }
}

/** What is there to show: conditions that didn't hold leave nothing. @param {Children} children @returns {(Described | string)[]} */
function meant(children) {
  const all = /** @type {Child[]} */ ([children].flat(3));
  const shown = all.filter((child) => child !== null && child !== undefined && child !== false && child !== "");
  return /** @type {(Described | string)[]} */ (shown.map((child) => (typeof child === "number" ? String(child) : child)));
}

/**
 * The children that have a key, in their order; those whose key is wanted no more are taken away first, so that the others needn't move.
 * @param {Node} parent @param {(Described | string)[]} wanted
 */
function keyed(parent, wanted) {
  /** @type {Map<string, Node[]>} */
  const found = new Map();
  const keys = new Set(wanted.map((child) => (typeof child === "string" ? undefined : child.props.key)));
  for (const node of [...parent.childNodes]) {
    const key = described.get(node)?.props.key;
    if (key === undefined) continue;
    if (keys.has(key)) found.set(key, [...(found.get(key) ?? []), node]);
    else parent.removeChild(node);
  }
  return found;
}

/**
 * A node for what is described: the first that has its key and stands for nothing else yet, the next of its kind, or a new one.
 * @param {Map<string, Node[]>} spare @param {Node | null} place @param {Described | string} child
 * @returns {Node}
 */
function fitting(spare, place, child) {
  if (typeof child === "string") return place?.nodeType === Node.TEXT_NODE ? place : document.createTextNode(child);
  const { key } = child.props;
  const known = key === undefined ? nextOfKind(place, child.tag) : spare.get(key)?.shift();
  if (known && described.get(known)?.tag === child.tag) return known;
  want(child.tag);
  const node = SVG_TAGS.has(child.tag) ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag);
  described.set(node, { tag: child.tag, props: {}, children: [] });
  return node;
}

/** @param {Node | null} place @param {string} tag */
function nextOfKind(place, tag) {
  for (let node = place; node; node = node.nextSibling) {
    const was = described.get(node);
    if (was && was.tag === tag && was.props.key === undefined) return node;
  }
  return null;
}

/** @param {Node} node @param {string} text */
function write(node, text) {
  if (node.nodeValue !== text) node.nodeValue = text;
}

/** The very same description as before changes nothing. Children come first: a list's choice needs its options. @param {Element} node @param {Described} now */
function update(node, now) {
  if (described.get(node) === now) return;
  const before = described.get(node)?.props ?? {};
  described.set(node, now);
  patch(node, now.children);
  for (const name of new Set([...Object.keys(before), ...Object.keys(now.props)])) {
    if (name !== "key" && before[name] !== now.props[name]) set(node, name, now.props[name]);
  }
}

/** @param {Element} node @param {string} name @param {any} value */
function set(node, name, value) {
  const plain = /** @type {Record<string, any>} */ (/** @type {unknown} */ (node));
  if (name.startsWith(".")) plain[name.slice(1)] = value;
  else if (name.startsWith("on") && (value === undefined || value === null || typeof value === "function")) plain[name] = value ? (/** @type {Event} */ event) => void value(event) : null; // an answer of false would keep the browser from doing what it does
  else if (REFUSED.test(name)) throw new TypeError(`${name} is no attribute that a page may set`);
  else if (name === "value" || name === "checked") plain[name] = value ?? "";
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? "" : String(value));
}
