"""Reasons to refuse, made one by one or together in a command that is in order, and the judge of what comes of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from escrow.access import Actor, Role, Side
from escrow.ids import Kind
from escrow.states import ContractState, MilestoneState
from tests.escrow.agreement.stage import NOWHERE, Story, named, usd

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


def judge_every_pair(begin: Callable[[], Case], faults: Sequence[Fault]) -> None:
    """Of two faults the one that the law puts first is the answer, whichever was made first."""
    for first, second in itertools.combinations(faults, 2):
        assert judged(begin, [first, second]) == first.code, f"{first.name} and {second.name}"
        assert judged(begin, [second, first]) == first.code, f"{second.name} and {first.name}"
