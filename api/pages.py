"""Serves the page that tells a person in a browser what this is and where to go on: `/about`, and `/` where money is real."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.manual import frame

_BODY: Final = """<h1>Earnest</h1>
<p>Milestone escrow as a service: a client deposits the price of the next milestone before work on it starts, a
freelancer delivers, the client approves and the money is released, and every party always knows what happens next
and when.</p>
<p>This address is an API. Programs talk to it in GraphQL; put the address of this page for <code>ADDRESS</code>:</p>
<pre tabindex="0"><code>curl ADDRESS/graphql \\
  -H 'content-type: application/json' \\
  -H 'authorization: Bearer ek_…' \\
  -d '{"query": "{ viewer { account { id name } } }"}'</code></pre>
<ul>
<li><a href="/console">The console</a>: contracts, money and deliveries, live.</li>
<li><a href="/docs">The documents</a>: how everything works, how to receive events, how to run it.</li>
<li><a href="/graphql">Operations</a> to begin with, and an explorer where there is one.</li>
<li><a href="/docs/schema">The schema</a>, with a description of every type, field and argument: it is the manual.
<a href="/schema.graphql">In GraphQL's own language</a>.</li>
<li><a href="/docs/errors">Error codes</a>: when each comes, and what to do.</li>
<li><a href="/healthz">Alive?</a> <a href="/readyz">Ready?</a></li>
</ul>"""

_PAGE: Final = frame.page("Earnest", _BODY)


async def start_page(_: Request) -> Response:
    """What this service is, with a first request to copy.

    The same for everybody: an address that a caller or a proxy's header made up is never told as ours.
    """
    return HTMLResponse(_PAGE, headers=frame.HEADERS)
