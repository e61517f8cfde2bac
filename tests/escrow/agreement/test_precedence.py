"""Two reasons to refuse at once: the one that the law puts first is the answer, for every pair of reasons of every command.

Each command comes with its possible faults in the law's order; each fault alone gives its code, any two give the earlier's,
all together give the first's, and a refused command has no effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from escrow.agreement import commands as c
from escrow.ids import Kind
from escrow.money import RawMoney
from escrow.states import MilestoneState
from tests.escrow.agreement.faults import (
    BAD_AMOUNT,
    BEFORE_ITS_TURN,
    CLOSED,
    CONTRACT_STATE,
    LOCKED,
    LONG_MESSAGE,
    NO_MEDIATOR,
    NO_MILESTONE,
    NO_TITLE,
    OTHER_DISABLED,
    OWN_DISABLED_CLIENT,
    OWN_REVISION,
    PLAN_VERSION,
    REVISION,
    ROLE,
    SCOPE,
    SHARED_MEMBER,
    THEIR_REVISION,
    UNSEEN,
    Case,
    Fault,
    judge_every_pair,
    judged,
    world,
)
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    FREELANCER,
    FREELANCER_ID,
    Story,
    active,
    reaching,
    usd,
)


def proposed() -> Story:
    return Story().propose()


def with_plan(plan: Sequence[c.MilestoneDraft]) -> Callable[[Case], None]:
    return lambda case: case.given(plan=tuple(plan))


def accept() -> Case:
    story = proposed()
    return Case(story, c.Accept(contract_id=story.id, revision=1), CLIENT)


def revise() -> Case:
    story = proposed()
    return Case(story, c.Revise(contract_id=story.id, terms=c.Terms(), plan=story.plan("5.00")), CLIENT)


def decline() -> Case:
    story = proposed()
    return Case(story, c.Decline(contract_id=story.id), CLIENT)


def withdraw() -> Case:
    story = Story().propose(by=CLIENT)
    return Case(story, c.Withdraw(contract_id=story.id), CLIENT)


def add() -> Case:
    story = active().pay()
    return Case(story, c.AddMilestone(contract_id=story.id, milestone=story.draft()), CLIENT)


def edit() -> Case:
    story = active()
    return Case(story, c.EditMilestone(milestone_id=story.milestone().id, title="Another"), CLIENT)


def move() -> Case:
    story = active("1.00", "2.00", "3.00")
    return Case(story, c.MoveMilestone(milestone_id=story.milestone().id, position=2), CLIENT)


def remove() -> Case:
    story = active()
    return Case(story, c.RemoveMilestone(milestone_id=story.milestone().id), CLIENT)


def import_rows() -> Case:
    story = active("1.00", "2.00")
    rows = (story.row("EA-1", story.milestone(1).id, title="Another"), story.row("EA-2"))
    return Case(story, c.ImportMilestones(contract_id=story.id, system="jira", rows=rows), CLIENT)


def row_without_title(case: Case) -> None:
    case.given(rows=(case.command.rows[0], replace(case.command.rows[1], title=None)))


def fund() -> Case:
    story = active()
    return Case(story, story.funding(), CLIENT)


def cancel_funding() -> Case:
    story = reaching(MilestoneState.FUNDING)
    return Case(story, c.CancelFunding(milestone_id=story.milestone().id), CLIENT)


def submit() -> Case:
    story = reaching(MilestoneState.ACTIVE)
    submission_id = story.fresh(Kind.SUBMISSION)
    command = c.Submit(milestone_id=story.milestone().id, submission_id=submission_id, message="Done")
    return Case(story, command, FREELANCER)


def approve() -> Case:
    story = reaching(MilestoneState.SUBMITTED)
    return Case(story, c.Approve(milestone_id=story.milestone().id), CLIENT)


def request_changes() -> Case:
    story = reaching(MilestoneState.SUBMITTED)
    return Case(story, c.RequestChanges(milestone_id=story.milestone().id, note="Bluer"), CLIENT)


def request_payout() -> Case:
    story = active().pay().approve()
    command = c.RequestPayout(contract_id=story.id, order_id=story.fresh(Kind.ORDER), amount=usd("10.00"))
    return Case(story, command, FREELANCER)


def propose() -> Case:
    story = Story()
    command = c.Propose(
        contract_id=story.fresh(Kind.CONTRACT),
        client_id=CLIENT_ID,
        freelancer_id=FREELANCER_ID,
        terms=c.Terms(title="A website", currency="USD"),
        plan=story.plan("5.00"),
    )
    return Case(story, command, CLIENT)


def lock_everything_behind(case: Case) -> None:
    """A milestone under way behind the place that is asked for."""
    behind = [replace(one, state=MilestoneState.ACTIVE) for one in case.story.state.milestones[1:]]
    case.contract(milestones=(case.story.milestone(1), *behind))


PLACED_BEFORE_A_LOCKED_ONE = Fault("OUT_OF_SEQUENCE", "its place", lock_everything_behind)
NO_TOKEN = Fault("INVALID_INPUT", "empty token", lambda k: k.given(payment_token=" "))
NO_NOTE = Fault("INVALID_INPUT", "no note", lambda k: k.given(note=" "))
NO_WORDS = Fault("INVALID_INPUT", "no message", lambda k: k.given(message=" "))
NO_PLAN = Fault("INVALID_INPUT", "no milestones", with_plan([]))
WRONG_DATE = Fault("INVALID_INPUT", "a date in no age", lambda k: k.given(due_on=date(1999, 12, 31)))
TO_THE_END = Fault("INVALID_INPUT", "a position that no plan has", lambda k: k.given(position=0))
TOO_MUCH = Fault("INSUFFICIENT_FUNDS", "more than there is", lambda k: k.given(amount=usd("1000000.00")))
EUROS = Fault("INVALID_INPUT", "another currency", lambda k: k.given(amount=RawMoney(k.command.amount.amount, "EUR")))
NOBODY = Fault("NOT_FOUND", "no such account", world(freelancer=None))

COMMANDS: Final[dict[str, tuple[Callable[[], Case], list[Fault]]]] = {
    "accept": (
        accept,
        [UNSEEN, ROLE, SCOPE, OWN_DISABLED_CLIENT, REVISION, CONTRACT_STATE, OTHER_DISABLED, OWN_REVISION,
         SHARED_MEMBER, LONG_MESSAGE],
    ),
    "revise": (
        revise,
        [UNSEEN, ROLE, SCOPE, OWN_DISABLED_CLIENT, PLAN_VERSION, CONTRACT_STATE, OTHER_DISABLED, OWN_REVISION, NO_PLAN],
    ),
    "decline": (decline, [UNSEEN, ROLE, SCOPE, CONTRACT_STATE, OWN_REVISION, LONG_MESSAGE]),
    "withdraw": (withdraw, [UNSEEN, ROLE, SCOPE, CONTRACT_STATE, THEIR_REVISION, LONG_MESSAGE]),
    "add": (
        add,
        [UNSEEN, ROLE, SCOPE, PLAN_VERSION, CONTRACT_STATE, LONG_MESSAGE,
         Fault("OUT_OF_SEQUENCE", "before a milestone under way", lambda k: k.given(position=1))],
    ),
    "edit": (
        edit,
        [UNSEEN, ROLE, SCOPE, PLAN_VERSION, NO_MILESTONE, CONTRACT_STATE, LOCKED, NO_TITLE, WRONG_DATE, BAD_AMOUNT],
    ),
    "move": (
        move,
        [UNSEEN, ROLE, SCOPE, PLAN_VERSION, NO_MILESTONE, CONTRACT_STATE, LOCKED, LONG_MESSAGE,
         PLACED_BEFORE_A_LOCKED_ONE],
    ),
    "move to nowhere": (move, [NO_MILESTONE, CONTRACT_STATE, LOCKED, TO_THE_END, PLACED_BEFORE_A_LOCKED_ONE]),
    "remove": (remove, [UNSEEN, ROLE, SCOPE, PLAN_VERSION, NO_MILESTONE, CONTRACT_STATE, LOCKED, LONG_MESSAGE]),
    "import": (
        import_rows,
        [UNSEEN, ROLE, SCOPE, PLAN_VERSION, CONTRACT_STATE, LOCKED, Fault("INVALID_INPUT", "a row", row_without_title),
         LONG_MESSAGE],
    ),
    "fund": (
        fund,
        [UNSEEN, ROLE, SCOPE, OWN_DISABLED_CLIENT, REVISION, NO_MILESTONE, CONTRACT_STATE, OTHER_DISABLED, NO_MEDIATOR,
         CLOSED, NO_TOKEN],
    ),
    "fund out of order": (
        fund,
        [REVISION, CONTRACT_STATE, NO_MEDIATOR, NO_TOKEN,
         Fault("OUT_OF_SEQUENCE", "not the first", lambda k: k.given(milestone_id=k.story.milestone(2).id))],
    ),
    "cancel funding": (cancel_funding, [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, CLOSED]),
    "submit": (submit, [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, BEFORE_ITS_TURN, NO_WORDS]),
    "submit to a closed one": (submit, [UNSEEN, ROLE, NO_MILESTONE, CONTRACT_STATE, CLOSED, NO_WORDS]),
    "approve": (approve, [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, BEFORE_ITS_TURN, LONG_MESSAGE]),
    "approve a closed one": (approve, [UNSEEN, ROLE, NO_MILESTONE, CONTRACT_STATE, CLOSED, LONG_MESSAGE]),
    "request changes": (
        request_changes, [UNSEEN, ROLE, SCOPE, NO_MILESTONE, CONTRACT_STATE, BEFORE_ITS_TURN, NO_NOTE]
    ),
    "request payout": (request_payout, [UNSEEN, ROLE, SCOPE, EUROS]),
    "request too much": (request_payout, [UNSEEN, ROLE, SCOPE, TOO_MUCH]),
    "propose": (
        propose,
        [Fault("FORBIDDEN", "limited key", UNSEEN.make), ROLE, SCOPE, OWN_DISABLED_CLIENT, NOBODY, SHARED_MEMBER, NO_PLAN],
    ),
    "propose to a disabled account": (propose, [ROLE, OTHER_DISABLED, SHARED_MEMBER, NO_PLAN]),
}  # fmt: skip
"""Each command that is in order, and what can be wrong with it, in the order of docs/law.md, section 3."""


@pytest.mark.parametrize("name", COMMANDS)
def test_without_a_fault_the_command_is_obeyed(name: str) -> None:
    begin, _ = COMMANDS[name]
    assert judged(begin, []) is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name, (_, faults) in COMMANDS.items() for fault in faults],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_each_fault_alone_is_refused_with_its_code(name: str, fault: Fault) -> None:
    begin, _ = COMMANDS[name]
    assert judged(begin, [fault]) == fault.code


@pytest.mark.parametrize("name", COMMANDS)
def test_of_two_faults_the_one_that_the_law_puts_first_is_the_answer(name: str) -> None:
    begin, faults = COMMANDS[name]
    judge_every_pair(begin, faults)


@pytest.mark.parametrize("name", COMMANDS)
def test_of_all_faults_at_once_the_first_is_the_answer(name: str) -> None:
    begin, faults = COMMANDS[name]
    assert judged(begin, faults) == faults[0].code


def test_every_code_that_a_contract_can_give_so_far_is_among_these_faults() -> None:
    told = {fault.code for _, faults in COMMANDS.values() for fault in faults}
    assert told == {
        "NOT_FOUND", "FORBIDDEN", "VERSION_CONFLICT", "INVALID_STATE", "MILESTONE_LOCKED", "OUT_OF_SEQUENCE",
        "SAME_PARTY", "INVALID_INPUT", "INSUFFICIENT_FUNDS",
    }  # fmt: skip


def test_a_milestone_of_an_earlier_revision_is_found_and_closed_for_everything() -> None:
    story = Story().propose()
    former = story.milestone().id
    story.revise().accept()
    for command, code in (
        (c.EditMilestone(milestone_id=former, title="Another"), "MILESTONE_LOCKED"),
        (c.Approve(milestone_id=former), "INVALID_STATE"),
        (replace(story.funding(), milestone_id=former), "INVALID_STATE"),
    ):
        story.do(command, CLIENT)
        assert story.code() == code


def test_amounts_are_judged_after_everything_that_the_law_puts_before_them() -> None:
    story = reaching(MilestoneState.SUBMITTED)
    nonsense = RawMoney(Decimal("NaN"), "???")
    story.do(c.EditMilestone(milestone_id=story.milestone().id, amount=nonsense), CLIENT)
    assert story.code() == "MILESTONE_LOCKED"
    story.do(c.EditMilestone(milestone_id=story.milestone(2).id, amount=nonsense), CLIENT)
    assert story.code() == "INVALID_INPUT"
