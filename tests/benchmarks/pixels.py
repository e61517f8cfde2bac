"""From a click in one window to the other window's pixels: an approval by the client, seen by the freelancer.

A whole deployment as `earnest up` starts it, and two windows of one browser on this machine; both know the same time. The web
process is killed again and again, and at the end the timeline that the freelancer's window shows is compared with the log. Needs
what `make browser` installs.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.served import Served

ROUNDS: Final = 50
"""Approvals, and as many kills of the web process after them."""

CLICKED: Final = """() => document.addEventListener("click", () => {
  window.clicked = performance.timeOrigin + performance.now();
}, true)"""
SEEN: Final = """(row) => {
  const inside = (root, tag) => root.querySelector(tag).shadowRoot;
  const page = inside(inside(document, "earnest-console"), "earnest-page-contract");
  const plan = inside(inside(page, "earnest-contract"), "earnest-milestones");
  const isPaid = () => plan.querySelectorAll("ol > li")[row].querySelector("[part=state]").textContent === "Paid";
  window.seen = new Promise((resolve) => {
    const look = () => requestAnimationFrame(isPaid() ? () => resolve(performance.timeOrigin + performance.now()) : look);
    look();
  });
}"""
"""Looks before each frame, and takes the time of the frame after the one that shows it."""

SEQUENCES: Final = "all => all.map((one) => Number(one.dataset.sequence))"


async def tables(_: TestServer, __: str, ___: Options) -> list[Table]:
    """How long it takes, and what was missed or doubled over the kills."""
    return [await asyncio.to_thread(_measured)]


def _measured() -> Table:
    from tests.browser.served import serving
    from tests.browser.windows import chromium

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as served, chromium() as browser:
        took = sorted(_approvals(served, browser))
        missing, doubled = _over_kills(served, browser)
    figures = [statistics.median(took), took[math.ceil(0.95 * len(took)) - 1]]
    row = ["client to freelancer", *(f"{one:.0f}" for one in figures), f"{missing}", f"{doubled}"]
    caption = (
        f"From a click to the other window's pixels, {ROUNDS} approvals; events over {ROUNDS} kills of the web process"
    )
    return Table("pixels", caption, ["windows", "p50 ms", "p95 ms", "missing", "twice"], [row])


def _approvals(served: Served, browser: Browser) -> list[float]:
    """Milliseconds from the click that confirms each approval to the frame that shows it in the other window."""
    from tests.browser.deals import proposed
    from tests.browser.people import at_the_console, contract
    from tests.browser.windows import window

    deal = proposed(served, "Pixels", [f"Step {number}" for number in range(1, ROUNDS + 1)])
    deal.accept()
    served.do("client", "fundContract", "contract { id }", contractId=deal.contract_id, paymentToken="tok_ok")
    deal.reaches(1, "ACTIVE")
    took = []
    with window(browser) as first, window(browser) as second:
        client = at_the_console(first, served, "client", place=contract(deal.contract_id))
        freelancer = at_the_console(second, served, "freelancer", place=contract(deal.contract_id))
        client.page.evaluate(CLICKED)
        for row in range(ROUNDS):
            deal.submit(row + 1)
            client.presses(client.can("Approve and pay"))
            client.reads("To the freelancer")
            freelancer.sees_milestone(f"Step {row + 1}", "In review")
            freelancer.page.evaluate(SEEN, row)
            client.fills("Approve and pay")
            took.append(freelancer.page.evaluate("window.seen") - client.page.evaluate("window.clicked"))
    return took


def _over_kills(served: Served, browser: Browser) -> tuple[int, int]:
    """How many events the freelancer's window lacks, and how many it shows twice, after everything was told."""
    from tests.browser.deals import at_work
    from tests.browser.people import HAPPENED, at_the_console, contract
    from tests.browser.windows import window

    deal = at_work(served, "Kills")
    with window(browser) as one:
        freelancer = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
        freelancer.reads("Work begins")
        for number in range(ROUNDS):
            served.kill_web()
            deal.note(f"After crash {number}.")
            freelancer.reads(f"After crash {number}.")
        shown = freelancer.section(HAPPENED).locator("[data-sequence]").evaluate_all(SEQUENCES)
    first, last = min(shown), deal.last_sequence()
    return last - first + 1 - len(set(shown)), len(shown) - len(set(shown))
