"""One deployment and one browser for all tests of this folder, and windows that fail a test by what their pages complain of."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.served import Served, serving
from tests.browser.windows import DESK, Look, Window, window
from tests.patience import PATIENCE_SECONDS

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")

NewWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One deployment for all tests."""
    with serving(tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's Chromium, or the one that `EARNEST_CHROMIUM` names."""
    found = os.environ.get("EARNEST_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("There is no Chromium: install it, or name it in EARNEST_CHROMIUM.")
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"], timeout=PATIENCE_SECONDS * 1000)
        yield one
        one.close()


@pytest.fixture
def new_window(browser: Browser) -> Iterator[NewWindow]:
    """Opens windows; none of them may have complained at the end, unless the test took that upon itself."""
    with ExitStack() as stack:
        opened: list[Window] = []  # emptied of what a test expected by that test

        def one(look: Look = DESK, *, own: tuple[str, ...] = ()) -> Window:
            opened.append(stack.enter_context(window(browser, look, own=own)))
            return opened[-1]

        yield one
        assert [complaint for each in opened for complaint in each.complaints] == []


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path | None:
    """Where pictures of pages go, if any were asked for."""
    return Path(__file__).parents[2] / "docs" / "pictures" if request.config.getoption("--pictures") else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Pictures are only taken when they are asked for: no two machines draw letters alike."""
    parser.addoption("--pictures", action="store_true", help="write the pictures of the pages into docs/pictures")
