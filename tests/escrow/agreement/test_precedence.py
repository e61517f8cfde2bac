"""Two reasons to refuse at once: the one that the law puts first is the answer, for every pair of reasons of every command.

Each command comes with its possible faults in the law's order; each fault alone gives its code, any two give the earlier's,
all together give the first's, and a refused command has no effect.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import pytest

from escrow.access import Actor, Role, Side
from escrow.agreement import commands as c
from escrow.ids import Kind
from escrow.lifecycle import ContractState, MilestoneState
from escrow.money import RawMoney
from tests.escrow.agreement.stage import (
    CLIENT,
    CLIENT_ID,
    FREELANCER,
    FREELANCER_ID,
    NOWHERE,
    Story,
    active,
    named,
    reaching,
    usd,
)

TOO_LONG: Final = "x" * 5_001
ELSEWHERE: Final = frozenset({named(Kind.CONTRACT, 8)})


@dataclass
class Case:
    """A command about to be given; faults are made in it."""

    story: Story
    command: Any
    actor: Actor

    def given(self, **changes: object) -> None:
        self.command = replace(self.command, **changes)

    def contract(self, **changes: Any) -> None:
        self.story.contract = replace(self.story.state, **changes)

    def milestone_becomes(self, state: MilestoneState) -> None:
        milestones = (replace(self.story.milestone(1), state=state), *self.story.state.milestones[1:])
        self.contract(milestones=milestones)


@dataclass(frozen=True)
class Fault:
    """A reason to refuse, how it comes about, and the code that it gives."""

    code: str
    name: str
    make: Callable[[Case], object]


def disable(case: Case, side: Side) -> None:
    parties = {Side.CLIENT: "client", Side.FREELANCER: "freelancer"}
    setattr(case.story, parties[side], replace(getattr(case.story, parties[side]), disabled=True))


def world(**changes: object) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        for name, value in changes.items():
            setattr(case.story, name, value)

    return make


UNSEEN = Fault("NOT_FOUND", "unseen", lambda k: setattr(k, "actor", replace(k.actor, contract_ids=ELSEWHERE)))
ROLE = Fault("FORBIDDEN", "role", lambda k: setattr(k, "actor", replace(k.actor, role=Role.VIEWER)))
SCOPE = Fault("FORBIDDEN", "scope", lambda k: setattr(k, "actor", replace(k.actor, scopes=frozenset())))
OWN_DISABLED_CLIENT = Fault("FORBIDDEN", "own account disabled", lambda k: disable(k, Side.CLIENT))
OTHER_DISABLED = Fault("INVALID_STATE", "other account disabled", lambda k: disable(k, Side.FREELANCER))
REVISION = Fault("VERSION_CONFLICT", "another revision", lambda k: k.given(revision=7))
PLAN_VERSION = Fault("VERSION_CONFLICT", "another plan version", lambda k: k.given(expected_version=7))
NO_MILESTONE = Fault("NOT_FOUND", "no such milestone", lambda k: k.given(milestone_id=NOWHERE))
CONTRACT_STATE = Fault("INVALID_STATE", "contract's state", lambda k: k.contract(state=ContractState.EXPIRED))
NO_MEDIATOR = Fault("INVALID_STATE", "nobody decides disputes", world(disputes_can_be_decided=False))
OWN_REVISION = Fault("FORBIDDEN", "not your turn", lambda k: k.contract(written_by=Side.CLIENT))
THEIR_REVISION = Fault("FORBIDDEN", "not your turn", lambda k: k.contract(written_by=Side.FREELANCER))
SHARED_MEMBER = Fault("SAME_PARTY", "same party", world(share_member=True))
LONG_MESSAGE = Fault("INVALID_INPUT", "message too long", lambda k: k.given(message=TOO_LONG))
BAD_AMOUNT = Fault("INVALID_INPUT", "nothing", lambda k: k.given(amount=usd("0")))
NO_TITLE = Fault("INVALID_INPUT", "no title", lambda k: k.given(title=" "))
LOCKED = Fault("MILESTONE_LOCKED", "milestone's state", lambda k: k.milestone_becomes(MilestoneState.CANCELLED))
CLOSED = Fault("INVALID_STATE", "milestone's state", lambda k: k.milestone_becomes(MilestoneState.CANCELLED))
BEFORE_ITS_TURN = Fault("OUT_OF_SEQUENCE", "before its turn", lambda k: k.milestone_becomes(MilestoneState.FUNDED))


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
"""Each command that is in order, and what can be wrong with it, in the order of section 3."""


def judged(begin: Callable[[], Case], faults: Sequence[Fault]) -> str | None:
    case = begin()
    for fault in faults:
        fault.make(case)
    before = case.story.contract
    done = case.story.do(case.command, case.actor)
    if done.refusal is not None:
        assert done.after is before
        assert done.recorded == ()
    return case.story.code()


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
    for first, second in itertools.combinations(faults, 2):
        assert judged(begin, [first, second]) == first.code, f"{first.name} and {second.name}"
        assert judged(begin, [second, first]) == first.code, f"{second.name} and {first.name}"


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
