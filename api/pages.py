"""Serves the page at `/`, which tells a person in a browser what this is and where to go on."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Earnest</title>
<link rel="icon" href="data:,">
<style>
body { font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; color: #1b1f24; }
code, pre { font-family: ui-monospace, monospace; background: #f3f4f6; border-radius: 4px; }
code { padding: .1rem .3rem; } pre { padding: 1rem; overflow-x: auto; }
@media (prefers-color-scheme: dark) { body { background: #14171a; color: #e6e8ea; } code, pre { background: #22272c; }
a { color: #8ab8ff; } }
</style>
</head>
<body>
<h1>Earnest</h1>
<p>Milestone escrow as a service: a client deposits the price of the next milestone before work on it starts, a
freelancer delivers, the client approves and the money is released, and every party always knows what happens next
and when.</p>
<p>This address is an API. Programs talk to it in GraphQL; put the address of this page for <code>ADDRESS</code>:</p>
<pre>curl ADDRESS/graphql \\
  -H 'content-type: application/json' \\
  -H 'authorization: Bearer ek_…' \\
  -d '{"query": "{ viewer { account { id name } } }"}'</pre>
<ul>
<li><a href="/schema.graphql">The schema</a>, with a description of every type, field and argument: it is the manual.</li>
<li>The documentation lies beside the source: <code>README.md</code> and <code>docs/</code>.</li>
<li><a href="/healthz">Alive?</a> <a href="/readyz">Ready?</a></li>
</ul>
</body>
</html>
"""

_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


async def start_page(_: Request) -> Response:
    """What this service is, with a first request to copy.

    The same for everybody: an address that a caller or a proxy's header made up is never told as ours.
    """
    return HTMLResponse(_PAGE, headers=_HEADERS)
