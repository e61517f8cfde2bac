"""Prepares what is the same in every request to one URL: where it is judged and connected to, and how its head begins."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp.client_reqrep import ClientRequest
from yarl import URL

from escrow.settings import Reach
from webhooks.request import ssrf

ROUTES_KEPT: Final = 1_024


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one URL."""

    asked: ClientRequest
    """What aiohttp's connector is asked with; it is never sent."""
    head: bytes
    """The request's first line and the headers that never change."""

    def request(self, headers: Mapping[str, str], body: bytes) -> bytes:
        """A whole request. Raises `ValueError` for a header that would end its line."""
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if said.count("\n") != len(headers) or said.count("\r") != len(headers) or "\0" in said:
            raise ValueError("a header of a request has a line of its own")
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (self.head, said.encode("ascii"), len(body), body)


class Routes:
    """The ways to the URLs that were called last."""

    def __init__(self, reach: Reach, headers: Mapping[str, str]) -> None:
        self._reach = reach
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._known: OrderedDict[str, Route] = OrderedDict()

    def to(self, url: str) -> Route:
        """The way to this URL. Raises `ssrf.UrlRefused` for one that nothing may be sent to."""
        route = self._known.get(url)
        if route is None:
            route = self._known[url] = self._way(ssrf.target(url, reach=self._reach))
            if len(self._known) > ROUTES_KEPT:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(url)
        return route

    def _way(self, target: URL) -> Route:
        asked = ClientRequest("POST", target)
        host = asked.headers["host"]
        return Route(asked, f"POST {target.raw_path_qs} HTTP/1.1\r\nhost: {host}\r\n{self._headers}".encode("ascii"))
