"""Questions of a page that get no answer for as long as they are held."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from playwright.sync_api import Page, Request, Route

from tests.patience import PATIENCE_SECONDS


def operation(request: Request) -> str:
    """What the operation of a request is called, empty where it has none."""
    found = re.search(r"(?:query|mutation|subscription) (\w+)", request.post_data or "")
    return found[1] if found else ""


class Held:
    """What a page asks by one operation from now on, passed on but while it is held.

    Playwright tells of a request before it hands it over to be held, so what is held is waited for here and not by
    `expect_request`.
    """

    def __init__(self, page: Page, name: str, *, only_streams: bool = False) -> None:
        self._page = page
        self._name = name
        self._only_streams = only_streams
        self._waiting: list[Route] | None = None
        self._passed_on: set[Request] = set()
        page.route("**/graphql", self._take)
        page.on("requestfinished", self._is_over)
        page.on("requestfailed", self._is_over)

    def hold(self) -> None:
        """From now on there is no answer: what was passed on has its own by then."""
        self._waiting = []
        self._until(lambda: not self._passed_on, f"there is no end to {self._name}")

    def wait(self) -> None:
        """Until something is held."""
        self._until(lambda: bool(self._waiting), f"nobody asked for {self._name}")

    def _until(self, is_so: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, otherwise
            self._page.wait_for_timeout(20)

    def let_go(self) -> None:
        """What waits is answered, and what comes."""
        waiting, self._waiting = self._waiting or [], None
        for route in waiting:
            self._passed_on.add(route.request)
            route.continue_()

    def _take(self, route: Route) -> None:
        if not self._is_meant(route.request):
            route.continue_()
        elif self._waiting is not None:
            self._waiting.append(route)
        else:
            self._passed_on.add(route.request)
            route.continue_()

    def _is_over(self, request: Request) -> None:
        self._passed_on.discard(request)

    def _is_meant(self, request: Request) -> bool:
        is_stream = "text/event-stream" in request.headers.get("accept", "")
        return operation(request) == self._name and (is_stream or not self._only_streams)
