"""Windows of a browser, watched: whatever a page says against itself while somebody looks at it is kept and fails the test.

A window complains of errors and warnings on its console, of exceptions that nobody caught, of requests to other origins than
those that it was told, and of what its policy for contents refused.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    WebError,
    expect,
    sync_playwright,
)

from tests.patience import PATIENCE_SECONDS

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

AXE: Final = Path(__file__).with_name("node_modules") / "axe-core" / "axe.min.js"

KEPT: Final = "earnest.session"
"""Where a tab keeps its session."""

NO_CONNECTION: Final = "net::ERR_"
"""What a browser itself writes on the console when an address doesn't answer."""

_AUDIT: Final = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"], preload: false });
  return found.violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""

_WIDER: Final = """() => {
  const room = document.documentElement.clientWidth;
  return document.scrollingElement.scrollWidth <= room ? "" : `${document.scrollingElement.scrollWidth} > ${room}`;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How somebody looks at pages."""

    width: int = 1280
    height: int = 900
    zoom: float = 1
    """As a browser zooms: the page has so much less room, and is drawn so much larger."""
    dark: bool = False
    language: str = "en-US"
    touch: bool = False


DESK: Final = Look()
LOOKS: Final = {
    "at a desk": DESK,
    "at twice the size": Look(zoom=2),
    "in the dark": Look(dark=True),
    "on a phone": Look(width=360, height=740, touch=True),
}


@dataclass
class Window:
    """One window, which nobody else shares cookies or storage with."""

    page: Page
    own: set[str]
    """The origins that its pages may ask."""
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The address of every request, in order."""
    referrers: set[str] = field(default_factory=set)
    _under_way: set[Request] = field(default_factory=set)

    def open(self, address: str) -> Page:
        """Go there; that origin is the window's own."""
        self.own.add(_origin(address))
        self.page.goto(address)
        return self.page

    def audited(self) -> list[str]:
        """What axe-core finds on the page as it is now, whatever lies in shadow trees; and whether one must scroll sideways."""
        self.page.evaluate(AXE.read_text())
        found: list[str] = self.page.evaluate(_AUDIT)
        wider: str = self.page.evaluate(_WIDER)
        return [*found, *([f"the page is wider than its window: {wider}"] if wider else [])]

    def is_fine(self) -> None:
        """Fail by whatever an audit finds on the page as it is now."""
        found = self.audited()
        assert not found, "\n".join(found)

    def rests(self) -> None:
        """Wait until all that the page asks by now has its answer; streams have none."""
        self.page.evaluate("() => new Promise((done) => setTimeout(done))")  # what is to be asked at once was asked
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._under_way:
            assert time.monotonic() < deadline, [request.url for request in self._under_way]
            self.page.wait_for_timeout(20)

    def without(self, text: str) -> list[str]:
        """All complaints but those with that text."""
        return [one for one in self.complaints if text not in one]

    def _says(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.complaints.append(f"console: {message.text}")

    def _throws(self, error: WebError) -> None:
        self.complaints.append(f"exception: {error.error}")

    def _asks(self, request: Request) -> None:
        self.asked.append(request.url)
        if "text/event-stream" not in request.headers.get("accept", ""):
            self._under_way.add(request)
        self.referrers |= {value for name, value in request.headers.items() if name == "referer" and value}
        if urlsplit(request.url).scheme in {"http", "https"} and _origin(request.url) not in self.own:
            self.complaints.append(f"request to another origin: {request.url}")

    def _has_its_answer(self, request: Request) -> None:
        self._under_way.discard(request)

    def watch(self, context: BrowserContext) -> None:
        """Hear everything that the pages of a context say and ask."""
        context.on("console", self._says)
        context.on("weberror", self._throws)
        context.on("request", self._asks)
        context.on("requestfinished", self._has_its_answer)
        context.on("requestfailed", self._has_its_answer)


def signed_in(window: Window, token: str) -> Window:
    """The same window, whose tab has had a session since before it was opened."""
    window.page.add_init_script(f"sessionStorage.getItem('{KEPT}') ?? sessionStorage.setItem('{KEPT}', '{token}')")
    return window


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium, or the one that `EARNEST_CHROMIUM` names."""
    found = os.environ.get("EARNEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise LookupError("There is no Chromium: install it, or name it in EARNEST_CHROMIUM.")
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=PATIENCE_SECONDS * 1000)
        yield one
        one.close()


@contextmanager
def window(browser: Browser, look: Look = DESK, *, own: tuple[str, ...] = ()) -> Iterator[Window]:
    """A new window, closed at the end."""
    context = browser.new_context(
        viewport={"width": round(look.width / look.zoom), "height": round(look.height / look.zoom)},
        device_scale_factor=look.zoom,
        color_scheme="dark" if look.dark else "light",
        locale=look.language,
        has_touch=look.touch,
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    one = Window(context.new_page(), set(own))
    one.watch(context)
    try:
        yield one
    finally:
        for page in context.pages:
            page.unroute_all(
                behavior="ignoreErrors"
            )  # an answer that is being changed now fails, and the next test by that
        context.close()


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"
