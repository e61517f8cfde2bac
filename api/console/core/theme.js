/**
 * Owns how everything looks: one sheet that all elements share. Colours and measures are CSS variables that an embedding page may set on
 * the element or above it; light and dark follow the page's `color-scheme`.
 */

/** What everything looks like; a page that has more than elements may take it, too, with `:root` for `:host`. */
export const RULES = `
:host { display: block; font-family: var(--earnest-font, system-ui, sans-serif); font-size: var(--earnest-size, 1rem); line-height: 1.5;
  color: var(--ink); --ink: var(--earnest-ink, light-dark(#1b1f24, #e6e8ea)); --paper: var(--earnest-paper, light-dark(#ffffff, #14171a));
  --faint: var(--earnest-faint, light-dark(#57606a, #a3abb3)); --line: var(--earnest-line, light-dark(#d0d7de, #3a4149));
  --wash: var(--earnest-wash, light-dark(#f3f4f6, #22272c)); --accent: var(--earnest-accent, light-dark(#0a5ec2, #8ab8ff));
  --on-accent: var(--earnest-on-accent, light-dark(#ffffff, #0d1520)); --good: var(--earnest-good, light-dark(#1a6b37, #7fd6a0));
  --bad: var(--earnest-bad, light-dark(#b3261e, #ffb0a8)); --warn: var(--earnest-warn, light-dark(#7a5200, #f1c76b));
  --edge: var(--earnest-radius, 6px); --gap: var(--earnest-gap, .75rem); }
:host([hidden]) { display: none !important; }
:host([theme=light]) { color-scheme: light; } :host([theme=dark]) { color-scheme: dark; }
* { box-sizing: border-box; }
.root { overflow-wrap: anywhere; background: var(--paper); } .root[aria-busy] > :not([part=failure]) { visibility: hidden; }
h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; min-width: 0; }
h2 { font-size: 1.3em; } h3 { font-size: 1.1em; }
ul, ol { list-style: none; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; } [tabindex="-1"]:focus-visible { outline: none; }
.stack { display: grid; gap: var(--gap); grid-template-columns: minmax(0, 1fr); }
.row { display: flex; flex-wrap: wrap; gap: .5rem var(--gap); align-items: center; }
.between { justify-content: space-between; }
.card { border: 1px solid var(--line); border-radius: var(--edge); padding: var(--gap); background: var(--paper); }
.faint { color: var(--faint); } .small { font-size: .875em; }
.prose { white-space: pre-wrap; }
.number { font-variant-numeric: tabular-nums; text-align: end; }
.tag { border: 1px solid currentColor; border-radius: 1em; padding: 0 .6em; font-size: .8125em; white-space: nowrap; color: var(--faint); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); } .now { color: var(--accent); }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
button, input, select, textarea { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--faint);
  border-radius: var(--edge); padding: .35rem .7rem; min-height: 2.25rem; max-width: 100%; }
input, select, textarea { width: 100%; }
input[type=range] { padding: 0; accent-color: var(--accent); }
textarea { min-height: 4.5rem; resize: vertical; }
button { cursor: pointer; } button:hover { background: var(--wash); }
button.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button[aria-disabled=true] { cursor: not-allowed; color: var(--faint); background: var(--wash); border-style: dashed; border-color: var(--faint); }
label, .label { font-weight: 600; font-size: .9375em; }
.field { display: grid; gap: .25rem; } .field .hint { color: var(--faint); font-size: .875em; }
[aria-invalid=true] { border-color: var(--bad); border-width: 2px; }
.says { border-inline-start: 3px solid var(--bad); padding-inline-start: .6rem; color: var(--bad); }
.tells { border-inline-start: 3px solid var(--accent); padding-inline-start: .6rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: start; padding: .3rem .5rem; border-block-end: 1px solid var(--line); vertical-align: top; }
.wide { overflow-x: auto; }
dl.facts { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .25rem var(--gap); } dt { color: var(--faint); }
svg { display: block; width: 100%; height: auto; max-width: 44rem; } svg text { fill: var(--ink); font: 13px var(--earnest-font, system-ui, sans-serif); }
svg .faint { fill: var(--faint); } svg .box { fill: var(--wash); stroke: var(--line); } svg .flow { color: var(--accent); } svg .idle { color: var(--line); }
summary { cursor: pointer; }
.bar { appearance: none; display: block; height: .5rem; border-radius: 1em; background: var(--wash); border: 1px solid var(--line); width: 100%; overflow: hidden; }
.bar::-webkit-progress-bar { background: var(--wash); } .bar::-webkit-progress-value { background: var(--accent); } .bar::-moz-progress-bar { background: var(--accent); }
.dragged { opacity: .5; }
del { color: var(--bad); } ins { color: var(--good); text-decoration: none; }
@media (prefers-reduced-motion: no-preference) { .new { animation: come 1s; } @keyframes come { from { background: var(--wash); } } }
@media (max-width: 30rem) { dl.facts { grid-template-columns: minmax(0, 1fr); } dd, dd.number { margin-block-end: .4rem; text-align: start; } }
`;

/** The sheet of the elements. */
export const theme = new CSSStyleSheet();
theme.replaceSync(RULES);
