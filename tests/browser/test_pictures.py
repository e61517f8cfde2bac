"""The pictures in the documents are of pages as they are; `make browser ARGS=--pictures` takes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import NewWindow
from tests.browser.deals import handed_in
from tests.browser.palette import BYTES_MAX, small
from tests.browser.people import DOING, at_the_console, contract
from tests.browser.rich import everything
from tests.browser.served import Served
from tests.browser.windows import Look

DOCUMENTS: Final = Path(__file__).parents[2]
SHOWN: Final = re.compile(r"docs/pictures/([\w-]+\.png)")

WIDE: Final = Look(width=1000, height=840)
PHONE: Final = Look(width=360, height=760, language="ar-EG", dark=True, touch=True)


@pytest.fixture
def take(browser: Browser, pictures: Path | None, tmp_path: Path) -> Path:
    """Where pictures go: into the documents if that was asked for."""
    folder = pictures or tmp_path
    folder.mkdir(exist_ok=True)
    return folder


def test_pictures_of_the_console_are_taken(served: Served, new_window: NewWindow, take: Path) -> None:
    deal = handed_in(served, "A new website", description="Twenty pages, from the first call to the last test.")
    client = at_the_console(new_window(WIDE), served, "client", place=contract(deal.contract_id))
    freelancer = at_the_console(new_window(WIDE), served, "freelancer", place=contract(deal.contract_id))
    freelancer.sees_milestone("Files", "Planned")
    client.presses(client.can("Approve and pay"))
    client.reads("To the freelancer")
    client.section(DOING).scroll_into_view_if_needed()
    mediated = everything(served, "A new shop", words="That is not what we agreed on.")
    phone = at_the_console(new_window(PHONE), served, "client", place=contract(mediated.contract_id))
    phone.page.locator("earnest-dispute [part=dispute]").scroll_into_view_if_needed()
    blank = new_window().page
    for name, person in {"contract": freelancer, "approving": client, "on-a-phone": phone}.items():
        picture = small(blank, person.page.screenshot(scale="css"))
        assert len(picture) < BYTES_MAX
        (take / f"{name}.png").write_bytes(picture)


def test_the_documents_show_each_picture_there_is() -> None:
    there = {path.name for path in (DOCUMENTS / "docs" / "pictures").iterdir()}
    assert set(SHOWN.findall((DOCUMENTS / "README.md").read_text())) == there
