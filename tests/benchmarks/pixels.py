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

    from tests.browser.deals import Deal
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
  const state = plan.querySelectorAll("ol > li")[row].querySelector("[part=state]");
  window.watched(state, "Paid");
}"""
TOLD: Final = """(milestone) => window.watched(document.querySelector("p"), milestone)"""
WATCHED: Final = """() => {
  window.watched = (node, text) => {
    window.seen = new Promise((resolve) => {
      const told = () => resolve(performance.timeOrigin + performance.now());
      const frame = () => requestAnimationFrame(() => requestAnimationFrame(told));
      new MutationObserver((_, watching) => node.textContent === text && (watching.disconnect(), frame()))
        .observe(node, { childList: true, characterData: true, subtree: true });
    });
  };
}"""
"""When a text has become what it is to be: the beginning of the frame after the one that shows it. Nothing is drawn meanwhile
for the sake of looking."""

BARE: Final = """([token, listening, variables]) => {
  const ask = (accept, query, variables) => fetch("/graphql", { method: "POST", body: JSON.stringify({ query, variables }),
    headers: { accept, "content-type": "application/json", authorization: `Bearer ${token}` } });
  window.send = (query, variables) => ask("application/json", query, variables);
  const button = document.createElement("button");
  const told = document.createElement("p");
  button.textContent = "Approve";
  document.body.replaceChildren(button, told);
  let isThere;
  window.isThere = new Promise((resolve) => (isThere = resolve));
  const listen = async () => {
    const reader = (await ask("text/event-stream", listening, variables)).body.getReader();
    for (let text = ""; ; ) {
      const { done, value } = await reader.read();
      if (done) return;
      isThere();
      text += new TextDecoder().decode(value);
      const last = text.split("\\n\\n").findLast((one) => one.includes("milestone.released"));
      if (last) told.textContent = JSON.parse(/^data: (.*)$/m.exec(last)[1]).data.events.milestoneId;
    }
  };
  void listen();
}"""
"""A page that does nothing but listen, and show what it is told: as fast as any page of this browser can be here."""

LISTENING: Final = """subscription Bare($contract: ID!) {
  events(contractId: $contract) { type ... on MilestoneReleased { milestoneId } }
}"""
APPROVING: Final = (
    "mutation Bare($input: ApproveMilestoneInput!) { approveMilestone(input: $input) { userErrors { code } } }"
)

SEQUENCES: Final = "all => all.map((one) => Number(one.dataset.sequence))"


async def tables(_: TestServer, __: str, ___: Options) -> list[Table]:
    """How long it takes, and what was missed or doubled over the kills."""
    return [await asyncio.to_thread(_measured)]


def _measured() -> Table:
    from tests.browser.served import serving
    from tests.browser.windows import chromium

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as served, chromium() as browser:
        took = {"client to freelancer": _approvals(served, browser), "two bare pages": _floor(served, browser)}
        missing, doubled = _over_kills(served, browser)
    rows = [[windows, *_figures(times)] for windows, times in took.items()]
    caption = (
        f"From a click to the other window's pixels, {ROUNDS} approvals, beside pages that do nothing but listen; over {ROUNDS} "
        f"kills of the web process {missing} events were missing and {doubled} came twice"
    )
    return Table("pixels", caption, ["windows", "p50 ms", "p95 ms"], rows)


def _figures(took: list[float]) -> list[str]:
    took = sorted(took)
    return [f"{one:.0f}" for one in (statistics.median(took), took[math.ceil(0.95 * len(took)) - 1])]


def _deal(served: Served, title: str) -> Deal:
    """A contract with a milestone for each round, paid for, the first of them under way."""
    from tests.browser.deals import proposed

    deal = proposed(served, title, [f"Step {number}" for number in range(1, ROUNDS + 1)])
    deal.accept()
    served.do("client", "fundContract", "contract { id }", contractId=deal.contract_id, paymentToken="tok_ok")
    deal.reaches(1, "ACTIVE")
    return deal


def _approvals(served: Served, browser: Browser) -> list[float]:
    """Milliseconds from the click that confirms each approval to the frame that shows it in the other window."""
    from playwright.sync_api import expect

    from tests.browser.people import at_the_console, contract
    from tests.browser.windows import window

    deal = _deal(served, "Pixels")
    took = []
    with window(browser) as first, window(browser) as second:
        client = at_the_console(first, served, "client", place=contract(deal.contract_id))
        freelancer = at_the_console(second, served, "freelancer", place=contract(deal.contract_id))
        client.page.evaluate(CLICKED)
        freelancer.page.evaluate(WATCHED)
        for row in range(ROUNDS):
            deal.submit(row + 1)
            about = client.page.get_by_role("group", name=f"Milestone: Step {row + 1}", exact=True)
            client.presses(about.get_by_role("button", name="Approve and pay", exact=True))
            client.reads("To the freelancer")
            freelancer.sees_milestone(f"Step {row + 1}", "In review")
            freelancer.page.evaluate(SEEN, row)
            form = client.page.get_by_role("form", name="Approve and pay", exact=True)
            client.presses(form.get_by_role("button", name="Confirm", exact=True))
            # Nothing is asked of the windows meanwhile: looking for words in a page takes longer than what is measured.
            took.append(freelancer.page.evaluate("window.seen") - client.page.evaluate("window.clicked"))
            expect(form).to_have_count(0)
    return took


def _floor(served: Served, browser: Browser) -> list[float]:
    """The same between two pages with a button, a stream and a line of text."""
    from tests.browser.windows import window

    deal = _deal(served, "Bare pages")
    took = []
    with window(browser) as first, window(browser) as second:
        for one, role in ((first, "client"), (second, "freelancer")):
            one.open(f"{served.url}/console/earnest.js")  # as text, which no policy keeps from anything
            one.page.evaluate(BARE, [served.keys[role], LISTENING, {"contract": deal.contract_id}])
            one.page.evaluate("window.isThere")
        client, freelancer = first.page, second.page
        client.evaluate(CLICKED)
        freelancer.evaluate(WATCHED)
        for row in range(ROUNDS):
            deal.submit(row + 1)
            milestone = deal.milestone(row + 1)
            freelancer.evaluate(TOLD, milestone)
            client.evaluate(
                "([query, input]) => { document.querySelector('button').onclick = () => window.send(query, { input }); }",
                [APPROVING, {"milestoneId": milestone}],
            )
            client.get_by_role("button").click()
            took.append(freelancer.evaluate("window.seen") - client.evaluate("window.clicked"))
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
