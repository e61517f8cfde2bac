"""Every state of a reversal × every state of its milestone × every report: one right outcome, and none when it comes again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import pytest

from escrow.states import ReversalOutcome
from tests.escrow.agreement.acts import LOST, WITHDRAWN, WON, deposit, refund_orders, resolve, reverse, sound
from tests.escrow.agreement.stage import FREELANCER, Story, active

MILESTONES: Final[dict[str, Callable[[Story], object]]] = {
    "ACTIVE": lambda story: story,
    "SUBMITTED": lambda story: story.submit(),
    "CHANGES_REQUESTED": lambda story: story.submit().request_changes(),
    "asked back": lambda story: story.request_refund(),
    "disputed": lambda story: story.open_dispute(),
    "RELEASED": lambda story: story.approve(),
}

KNOWN: Final[dict[str, Callable[[Story, str], object]]] = {
    "nothing": lambda story, one: story,
    "OPEN": lambda story, one: reverse(story, one),
    "FORFEITED": lambda story, one: reverse(story, one).end(by=FREELANCER, giving_up="100.00"),
    "WON": lambda story, one: reverse(story, one, outcome=WON),
    "WON for the operator": lambda story, one: resolve(reverse(story, one), one, WON),
    "WITHDRAWN": lambda story, one: reverse(story, one, outcome=WITHDRAWN),
    "LOST": lambda story, one: reverse(story, one, outcome=LOST),
    "LOST for the operator": lambda story, one: resolve(reverse(story, one), one, LOST),
}

TAKEN, BACK, ENDED, LOSE = "deposit.reversed", "deposit.reinstated", "deposit.reversal_resolved", "milestone loses it"

# By what is known: what follows from hearing that it goes on, that it was won or withdrawn, that it was lost.
OUTCOMES: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]] = {
    "nothing": ((TAKEN,), (TAKEN, BACK, ENDED), (TAKEN, ENDED, LOSE)),
    "OPEN": ((), (BACK, ENDED), (ENDED, LOSE)),
    "FORFEITED": ((), (BACK, ENDED), (ENDED,)),
    "WON": ((), (), ()),
    "WON for the operator": ((), (BACK,), ()),
    "WITHDRAWN": ((), (), ()),
    "LOST": ((), (BACK, ENDED), ()),
    "LOST for the operator": ((), (BACK, ENDED), ()),
}

REPORTS: Final[tuple[tuple[ReversalOutcome | None, int], ...]] = ((None, 0), (WON, 1), (WITHDRAWN, 1), (LOST, 2))

CELLS: Final = [
    (known, milestone, report)
    for known, milestone, report in itertools.product(KNOWN, MILESTONES, REPORTS)
    # What was released is given up by nobody.
    if (known, milestone) != ("FORFEITED", "RELEASED")
]


def follows(known: str, milestone: str, place: int) -> list[str]:
    """The events that follow, with what a milestone that loses its money writes by its own state."""
    losing = {"RELEASED": [], "disputed": ["dispute.resolved", "milestone.refunded"]}.get(
        milestone, ["milestone.refunded"]
    )
    return [one for event in OUTCOMES[known][place] for one in (losing if event == LOSE else [event])]


@pytest.mark.parametrize(("known", "milestone", "report"), CELLS)
def test_each_report_has_its_one_outcome(
    known: str, milestone: str, report: tuple[ReversalOutcome | None, int]
) -> None:
    said, place = report
    story = active("100.00", "50.00").pay(1)
    one = deposit(story).id
    MILESTONES[milestone](story)
    KNOWN[known](story, one)
    assert story.code() is None
    reverse(story, one, outcome=said)
    assert story.happened() == follows(known, milestone, place)
    assert reverse(story, one, outcome=said).happened() == [], "the same again"
    assert reverse(story, one).happened() == [], "the opening, late"
    sound(story)
    final = story.state.deposits[one]
    assert -story.books()["clearing:USD", "USD"] == 103_00 - final.outstanding_minor
    assert final.outstanding_minor in (0, 103_00)
    given_up = final.forfeited_minor - final.restored_minor
    assert story.books()["chargeback:USD", "USD"] == given_up - final.outstanding_minor
    back = sum(minor for _, minor, _ in refund_orders(story))
    assert back == final.restored_minor == (final.forfeited_minor if final.outstanding_minor == 0 else 0)
