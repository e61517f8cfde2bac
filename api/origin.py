"""Decides which web pages may connect: those of our own address. Programs send no `Origin` and may.

A browser lets a foreign page send no JSON without asking us first, which we don't answer; WebSockets it doesn't ask for, so
they are looked at here.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_foreign(headers: Headers) -> bool:
    """Whether a browser says that a page of another address than the one that it asks has sent this."""
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc.lower() != headers.get("host", "").lower()
