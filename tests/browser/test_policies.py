"""What a page of ours is kept from reaches the operator: the browser reports it, and it is counted."""

from __future__ import annotations

import re
import time
from typing import Final

from playwright.sync_api import expect

from tests.browser.conftest import NewWindow
from tests.browser.served import Served
from tests.patience import PATIENCE_SECONDS

ELSEWHERE: Final = "https://elsewhere.example/picture.png"
LOADS: Final = """(address) => {
  const picture = document.createElement("img");
  picture.src = address;
  document.body.append(picture);
}"""

COUNTED: Final = re.compile(r'^earnest_policy_reports(?:_total)?\{directive="img-src"\} (\d+)', re.MULTILINE)


def _counted(served: Served) -> int:
    found = COUNTED.search(served.figures())
    return int(found[1]) if found else 0


def test_what_the_policy_of_a_page_forbids_is_counted(served: Served, new_window: NewWindow) -> None:
    one = new_window(own=("https://elsewhere.example",))
    page = one.open(f"{served.url}/console")
    expect(page.get_by_label("Key or session token")).to_be_visible()
    before = _counted(served)
    page.evaluate(LOADS, ELSEWHERE)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _counted(served) == before:
        assert time.monotonic() < deadline, "nothing was reported"
        page.wait_for_timeout(100)
    assert one.without("violates the following Content Security Policy directive") == []
    one.complaints.clear()
