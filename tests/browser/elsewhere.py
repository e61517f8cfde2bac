"""Somebody else's pages: served from an origin of their own, as a partner's site is, which takes webhooks, too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site:
    """A site whose one page can be put there once its origin is known."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.page = ""


@contextmanager
def site() -> Iterator[Site]:
    """A site on an origin of its own."""

    class Pages(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = one.page.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            """Take what is sent."""
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        one = Site(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield one
        server.shutdown()
