/**
 * Starts GraphiQL, which is somebody else's code, with our own way to send operations and this tab's session filled in.
 *
 * What GraphiQL remembers it remembers in this tab only.
 */
import { begin } from "../pages/session.js";
import { memory } from "../pages/tab.js";
import { send } from "./fetching.js";

const FIRST = `# Everything may be tried here: the schema is under the book on the left, Ctrl-Space completes.
# The credentials stand below, under Headers.
query Contracts {
  contracts {
    nodes {
      title state
      currentMilestone { id title state }
      escrow { held { amount currency } }
      nextDeadline { at action inFavourOf }
    }
  }
}

subscription Live { events { cursor type occurredAt } }
`;

/** @type {{React: any, ReactDOM: any, GraphiQL: any}} */
const { React, ReactDOM, GraphiQL } = /** @type {any} */ (globalThis);

const token = await begin();

const root = ReactDOM.createRoot(document.getElementById("explorer"));
root.render(
  React.createElement(GraphiQL, {
    fetcher: (/** @type {any} */ operation, /** @type {any} */ options) => send(operation, options?.headers ?? {}),
    defaultQuery: FIRST,
    headers: JSON.stringify({ authorization: `Bearer ${token ?? "ek_..."}` }, null, 2),
    shouldPersistHeaders: false,
    defaultEditorToolsVisibility: true,
    isHeadersEditorEnabled: true,
    storage: memory ?? null,
  }),
);
