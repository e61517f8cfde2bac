"""One deployment and one browser for all tests of this folder, and windows that fail a test by what their pages complain of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.served import Served, serving
from tests.browser.windows import DESK, Look, Window, chromium, window

NewWindow = Callable[..., Window]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One deployment for all tests."""
    with serving(tmp_path_factory.mktemp("served")) as one:
        yield one


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    with chromium() as one:
        yield one


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
