"""The referee: plays each command on the core and on the model, and checks after every step that they agree.

Beside the model it holds the books, and the contract as its log alone gives it, every event through JSON and back.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import ClassVar

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import deadlines, next_deadline
from escrow.agreement.events import CATALOGUE, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.permit import permit
from escrow.agreement.state import Contract
from escrow.agreement.step import Step, advance
from escrow.codec import decode, encode
from escrow.lifecycle import OrderKind
from tests.escrow.agreement import invariants
from tests.escrow.agreement.facts import WINDOWS
from tests.escrow.agreement.model import Model
from tests.escrow.agreement.stage import (
    Story,
    counted,
    folded,
)

RANKS = {"OFFER": 0, "DEPOSIT": 1, "REVIEW": 2, "REMINDER": 3}
DEPENDS_ON_INPUT = {"VERSION_CONFLICT", "INVALID_INPUT", "OUT_OF_SEQUENCE", "INSUFFICIENT_FUNDS"}


class Referee:
    """One contract, played by the core and by the model side by side."""

    known_ways_out: ClassVar[set[tuple[object, ...]]] = set()
    """Where a way out was found already; it depends on nothing else."""

    def __init__(self) -> None:
        self.story = Story()
        self.model = Model()
        self.books = invariants.Books()
        self.shadow: Contract | None = None

    def play(self, command: c.Command, actor: Actor) -> None:
        story, around, before = self.story, self.story.around(), self.story.contract
        forecast = copy.deepcopy(self.model)
        predicted = forecast.take(command, actor, around)
        barred = self.barred(command, actor)
        done = story.do(command, actor)
        assert story.code() == predicted, f"{command} by {actor}: {done.refusal!r}"
        if barred is not None:
            assert story.code() == barred or story.code() in DEPENDS_ON_INPUT
        elif isinstance(command, c.PartyCommand) and not isinstance(command, c.Propose):
            rows = {"MILESTONE_LOCKED"} if isinstance(command, c.ImportMilestones) else set()
            assert story.code() in {None, *DEPENDS_ON_INPUT, *rows}, "permit said nothing, decide refused"
        if predicted in ("NOT_FOUND", "FORBIDDEN"):
            assert done.after is before
            assert done.recorded == ()
            return
        self.model = forecast
        invariants.check_times(before, done.recorded, around)
        self.fold(done)
        self.name_orders()
        self.check_versions(before)
        self.compare()
        self.books.check(story.state)
        invariants.check_plan(story.state)
        invariants.check_deposits(story.state)
        self.check_ways_out()

    def barred(self, command: c.Command, actor: Actor) -> str | None:
        """What `permit` says of the command on the contract as it is in law now."""
        if self.story.contract is None or isinstance(command, (c.Propose, c.ApplyDeadlines, c.Report)):
            return None
        around = self.story.around()
        state = advance(self.story.contract, around=around, fresh=counted())
        milestone_id = getattr(command, "milestone_id", None)
        refusal = permit(state, command.action, milestone_id, actor=actor, around=around)
        return None if refusal is None else refusal.code.value

    def fold(self, done: Step) -> None:
        """Each recorded event goes through the codec and JSON, and the log alone must give the same contract."""
        for recorded in done.recorded:
            event = recorded.event
            data, texts = json.loads(json.dumps(encode(event)))
            read = decode(CATALOGUE[event.type, event.schema_version], data, texts)
            assert read == event
            self.shadow = evolve(self.shadow, self.story.id, Recorded(read, recorded.at, recorded.actor))
            self.books.book(self.story.id, recorded)
        assert self.shadow == self.story.state

    def name_orders(self) -> None:
        """Gives the model the names of the returns that the core has ordered, which must be the ones it expects."""
        for order in self.story.state.orders.values():
            if order.kind is OrderKind.REFUND and order.id not in self.model.sendings:
                sending = self.model.unnamed.pop(0)
                assert sending.amount == order.amount
                self.model.sendings[order.id] = sending
        assert not self.model.unnamed, "what came wrongly is sent back in the same write"

    def check_versions(self, before: Contract | None) -> None:
        after = self.story.state
        if before is not None:
            plans = [[(one.id, one.amount_minor) for one in state.milestones] for state in (before, after)]
            assert after.plan_version > before.plan_version or plans[0] == plans[1]
            assert after.plan_version >= before.plan_version
        self.model.plan_version = after.plan_version

    def compare(self) -> None:
        """The core's contract is the model's: states, plan, deposits, orders, books and clocks."""
        state, model = self.story.state, self.model
        assert (state.state, state.revision, state.written_by) == (model.state, model.revision, model.author)
        assert [
            (one.id, one.state, one.amount_minor, one.held_minor, one.held_fee_minor, one.review_due_at)
            for one in state.milestones
        ] == [(one.id, one.state, one.amount, one.held, one.fee, one.review_due) for one in model.pieces]
        assert {key: one.state for key, one in state.former.items()} == {
            key: one.state for key, one in model.former.items()
        }
        assert {key: (one.state, one.returned) for key, one in state.deposits.items()} == {
            key: (one.state, tuple(one.returned)) for key, one in model.charges.items()
        }
        assert {
            one.id: (one.kind, one.state, one.amount)
            for one in state.orders.values()
            if one.kind is not OrderKind.DEPOSIT
        } == {key: (one.kind, one.state, one.amount) for key, one in model.sendings.items()}
        lawful = Counter(
            {
                (account if ":" in account else f"{account}:{currency}", currency): minor
                for (account, currency), minor in model.books.items()
                if minor
            }
        )
        assert {key: minor for key, minor in self.books.balances.items() if minor} == lawful
        clocks = deadlines(state)
        assert [(one.due_at, RANKS[one.kind], one.position, one.subject_id) for one in clocks] == model.clocks()
        seen = [one for one in clocks if one.announces is None]
        assert [one.due_at for one in seen] == [at for at, *_ in model.due()]
        assert next_deadline(state) == (seen[0] if seen else None)
        assert [one.reminded_hours for one in state.milestones] == [
            min(one.announced) if one.window and one.announced else None for one in model.pieces
        ]
        assert {name: getattr(state.windows, name) for name in WINDOWS} == model.windows

    def check_ways_out(self) -> None:
        """Where money is held, either side can get it out without the other."""
        state, around = self.story.state, self.story.around()
        if not any(milestone.held_minor for milestone in state.milestones):
            return
        assert around.client is not None
        assert around.freelancer is not None
        signature = (
            *(milestone.state for milestone in state.milestones),
            around.client.disabled,
            around.freelancer.disabled,
        )
        if signature not in self.known_ways_out:
            for side in Side:
                assert invariants.way_out(state, around, side), f"no way out for the {side} alone"
            self.known_ways_out.add(signature)

    def finish(self) -> None:
        """The whole log folded from nothing gives the contract."""
        if self.story.contract is not None:
            assert folded(self.story.id, self.story.log) == self.story.state
