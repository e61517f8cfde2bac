"""What a page asks and draws when something happens: each question once, what it is about first, and only what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.conftest import NewWindow
from tests.browser.deals import at_work, handed_in
from tests.browser.held import Held, operation
from tests.browser.people import at_the_console, contract
from tests.browser.served import Served

WHOLE: Final = ("Contract", "Deadline", "Actions", "Milestones", "Money")
"""The questions of a contract's page."""

NOTES: Final = 4

COUNTED: Final = """() => {
  window.drawn = {};
  for (const tag of ["contract", "actions", "milestones", "money", "timeline"]) {
    const { prototype } = customElements.get(`earnest-${tag}`);
    const render = prototype.renderNow;
    prototype.renderNow = function () {
      window.drawn[tag] = (window.drawn[tag] ?? 0) + 1;
      return render.call(this);
    };
  }
}"""

CHANGED: Final = """(list) => {
  window.changed = new Set();
  const rowOf = (node) => (node.parentElement === list ? node : node.parentNode && rowOf(node.parentNode));
  const note = ({ target }) => window.changed.add([...list.children].indexOf(rowOf(target)));
  new MutationObserver((records) => records.forEach(note))
    .observe(list, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def _counting(page: Page) -> Counter[str]:
    """How often each operation is asked from now on."""
    asked: Counter[str] = Counter()
    page.on("request", lambda request: asked.update([operation(request)]))
    return asked


def test_an_event_has_each_question_asked_once_and_nothing_drawn_that_is_as_it_was(
    served: Served, new_window: NewWindow
) -> None:
    deal = at_work(served, "Asked once")
    freelancer = at_the_console(new_window(), served, "freelancer", place=contract(deal.contract_id))
    page = freelancer.page
    freelancer.sees_all()
    _is_quiet(page, deal.note)
    asked = _counting(page)
    page.evaluate(COUNTED)
    for number in range(NOTES):
        _is_quiet(page, deal.note, f"Note {number}.")
        freelancer.reads(f"Note {number}.")
    assert max(asked[name] for name in WHOLE) <= NOTES + 1, f"one may be for what happened before: {asked}"
    drawn = page.evaluate("window.drawn")
    assert set(drawn) == {"timeline"}, drawn


def test_what_an_event_is_about_is_shown_before_everything_is_asked_again(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "First things first")
    one = new_window()
    freelancer = at_the_console(one, served, "freelancer", place=contract(deal.contract_id))
    page = freelancer.page
    freelancer.sees_all()
    _is_quiet(page, deal.note)
    plan = page.locator("earnest-milestones ol").first
    plan.evaluate(CHANGED)
    whole_plan = Held(page, "Milestones")
    whole_plan.hold()
    served.do("client", "approveMilestone", "contract { id }", milestoneId=deal.milestone())
    freelancer.sees_milestone("Sketches", "Paid")
    assert page.evaluate("[...window.changed]") == [0], "no other row was touched"
    whole_plan.wait()
    assert page.evaluate("[...window.changed]") == [0], "the whole plan is asked for, too, and not answered"
    whole_plan.let_go()


def test_what_is_sent_is_told_of_by_its_own_name_whatever_form_is_open_by_then(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Sent and left")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    client.presses(client.can("Ask for changes"))
    form = client.page.get_by_role("form", name="Ask for changes", exact=True)
    client.writes(form.get_by_role("textbox", name="What should be changed"), "The second page.")
    commands = Held(client.page, "Command")
    commands.hold()
    client.presses(form.get_by_role("button", name="Confirm", exact=True))
    commands.wait()
    client.presses(client.can("Post an update"))
    update = client.page.get_by_role("form", name="Post an update", exact=True)
    client.writes(update.get_by_role("textbox", name="Message"), "Half of it")
    commands.let_go()
    client.reads("Done: Ask for changes.")
    expect(update.get_by_role("textbox", name="Message")).to_have_value("Half of it")


def test_who_cancels_while_it_is_asked_what_would_happen_sends_nothing(served: Served, new_window: NewWindow) -> None:
    deal = handed_in(served, "Confirmed and cancelled")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    page = client.page
    client.presses(client.can("Approve and pay"))
    client.reads("To the freelancer")
    form = page.get_by_role("form", name="Approve and pay", exact=True)
    previews = Held(page, "Preview")
    previews.hold()
    deal.note("Something happens.")
    previews.wait()
    client.presses(form.get_by_role("button", name="Confirm", exact=True))
    client.presses(form.get_by_role("button", name="Cancel", exact=True))
    asked = _counting(page)
    with page.expect_response(lambda answer: operation(answer.request) == "Preview"):
        previews.let_go()
    client.does("Post an update", Message="Not yet.")
    client.reads("Done: Post an update.")
    assert asked["Command"] == 1
    assert deal.plan()[0]["state"] == "SUBMITTED"


def _is_quiet(page: Page, note: Callable[[str], None], message: str = "Here we go.") -> None:
    """Wait until what the page was opened with has been answered: it is asked again after an event that comes later."""
    with page.expect_response(lambda response: operation(response.request) == "Money"):
        note(message)


WAITS: Final = """() => {
  window.waits = [];
  const wait = window.setTimeout;
  window.setTimeout = (done, ms, ...given) => (window.waits.push(ms), wait(done, ms, ...given));
}"""
TYPING_MS: Final = 250
"""How long whoever types is left alone, and nobody else."""


def test_a_form_asks_at_once_what_it_would_do_when_only_the_situation_has_moved_on(
    served: Served, new_window: NewWindow
) -> None:
    deal = handed_in(served, "Moved on")
    client = at_the_console(new_window(), served, "client", place=contract(deal.contract_id))
    page = client.page
    client.presses(client.can("Approve and pay"))
    client.reads("To the freelancer")
    page.evaluate(WAITS)
    with page.expect_request(lambda request: operation(request) == "Preview"):
        served.do("freelancer", "setPayouts", "contract { id }", contractId=deal.contract_id, automatic=True)
    assert TYPING_MS not in page.evaluate("window.waits")
    form = page.get_by_role("form", name="Approve and pay", exact=True)
    with page.expect_request(lambda request: operation(request) == "Preview"):
        form.get_by_label("Message").fill("Well done.")
    assert TYPING_MS in page.evaluate("window.waits")
