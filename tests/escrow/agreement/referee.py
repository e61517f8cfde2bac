"""The referee: plays each command on the core and on the model, and checks after every step that they agree.

Beside the model it holds the books, and the contract as its log alone gives it, every event through JSON and back.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import ClassVar

from escrow.access import Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.deadlines import UNSEEN, DeadlineKind, deadlines, next_deadline
from escrow.agreement.events import CATALOGUE, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.naming import subject_id_of
from escrow.agreement.permit import permit
from escrow.agreement.state import Contract
from escrow.agreement.step import Step, advance
from escrow.codec import decode, encode
from escrow.states import ContractState, OrderKind, RefundState
from tests.escrow.agreement import invariants
from tests.escrow.agreement.facts import WINDOWS
from tests.escrow.agreement.model import Model
from tests.escrow.agreement.stage import (
    Story,
    counted,
    folded,
)

RANKS = {kind: rank for rank, kind in enumerate(DeadlineKind)}
DEPENDS_ON_INPUT = {
    *("VERSION_CONFLICT", "INVALID_INPUT", "OUT_OF_SEQUENCE", "INSUFFICIENT_FUNDS", "NEXT_NOT_FUNDED"),
    "STALE_CHANGE_REQUEST",
}


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
        story, around, before = self.story, self.story.around(actor), self.story.contract
        forecast = self.model.twin()
        predicted = forecast.take(command, actor, around)
        barred = self.barred(command, actor)
        done = story.do(command, actor)
        assert story.code() == predicted, f"{command} by {actor}: {done.refusal!r}"
        if barred is not None:
            assert story.code() in {barred, *DEPENDS_ON_INPUT, *self.of_its_input(command)}
        elif isinstance(command, c.PartyCommand) and not isinstance(command, c.Propose):
            allowed = {None, *DEPENDS_ON_INPUT, *self.of_its_input(command)}
            assert story.code() in allowed, "permit said nothing, decide refused"
        if predicted in ("NOT_FOUND", "FORBIDDEN"):
            assert done.after is before
            assert done.recorded == ()
            return
        self.model = forecast
        invariants.check_times(before, done.recorded, around)
        invariants.check_facts(before, done.recorded)
        self.fold(done)
        self.name_orders()
        self.name_wishes()
        if done.recorded:
            self.model.last, self.model.told_of_silence = done.recorded[-1].at, story.types()[-1] == "contract.dormant"
        self.check_versions(before)
        self.compare()
        self.books.check(story.state)
        invariants.check_plan(story.state)
        invariants.check_deposits(story.state)
        self.check_ways_out()

    def barred(self, command: c.Command, actor: Actor) -> str | None:
        """What `permit` says of the command on the contract as it is in law now."""
        if self.story.contract is None or isinstance(command, c.Propose) or not isinstance(command, c.PartyCommand):
            return None
        around = self.story.around(actor)
        state = advance(self.story.contract, around=around, fresh=counted())
        refusal = permit(state, command.action, subject_id_of(command), actor=actor, around=around)
        return None if refusal is None else refusal.code.value

    def of_its_input(self, command: c.Command) -> set[str]:
        """The refusals of whoever may or may not do such a thing that depend on what is asked for."""
        if isinstance(command, c.Approve) and command.bonus is not None:
            return {"FORBIDDEN", "INVALID_STATE"}
        if isinstance(command, c.ImportMilestones):
            return {"MILESTONE_LOCKED"}
        if isinstance(command, c.FileChangeRequest):
            return {"NOT_FOUND", "INVALID_STATE", "MILESTONE_LOCKED"}
        has_part = isinstance(command, (c.Approve, c.GiveRefund)) and command.amount is not None
        return {"INVALID_STATE"} if has_part else set()

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
        """Gives the model the names of the orders that the core has made by itself, which must be the ones it expects."""
        for order in self.story.state.orders.values():
            if order.kind is not OrderKind.DEPOSIT and order.id not in self.model.sendings:
                sending = next(one for one in self.model.unnamed if one.kind == order.kind)
                self.model.unnamed.remove(sending)
                assert (sending.amount, sending.deposit) == (order.amount, order.deposit_id)
                self.model.sendings[order.id] = sending
        assert not self.model.unnamed, "what came wrongly is sent back in the same write"

    def name_wishes(self) -> None:
        """Gives the model the names of the refund requests and disputes that the core made by itself."""
        for piece in self.model.pieces:
            milestone = self.story.state.milestone(piece.id)
            assert milestone is not None
            if piece.wish is not None and piece.wish.id is None:
                piece.wish.id = milestone.hold_id
            if piece.quarrel is not None and piece.quarrel.by_law and not piece.quarrel.id:
                piece.quarrel.id = milestone.hold_id or ""
        for dispute in self.story.state.disputes.values():
            if dispute.by_hold_limit and not dispute.is_undecided:
                self.model.settled_quarrels.setdefault(dispute.id, dispute.state.value)
        for refund in self.story.state.refunds.values():
            if refund.by_ending and refund.state is not RefundState.OPEN:
                self.model.answered_wishes.setdefault(refund.id, refund.state.value)

    def check_versions(self, before: Contract | None) -> None:
        after = self.story.state
        if before is not None:
            ids = [[one.id for one in state.milestones] for state in (before, after)]
            assert after.plan_version > before.plan_version or ids[0] == ids[1]
            for one in before.milestones:
                now = after.milestone(one.id)
                planned = now is not None and (one.state, now.state) == ("PLANNED", "PLANNED")
                assert not planned or after.plan_version > before.plan_version or now == one
            assert after.plan_version >= before.plan_version
        self.model.plan_version = after.plan_version

    def compare(self) -> None:
        """The core's contract is the model's: states, plan, holds, deposits, orders, books and clocks."""
        state, model = self.story.state, self.model
        assert (state.state, state.revision, state.written_by) == (model.state, model.revision, model.author)
        assert {name: getattr(state.windows, name) for name in WINDOWS} == model.windows
        self.compare_plan()
        self.compare_disagreements()
        self.compare_money()
        self.compare_clocks()

    def compare_plan(self) -> None:
        state, model = self.story.state, self.model
        assert [
            (one.id, one.state, one.amount_minor, one.held_minor, one.held_fee_minor, one.hold, one.is_frozen)
            for one in state.milestones
        ] == [(one.id, one.state, one.amount, one.held, one.fee, one.hold, one.frozen) for one in model.pieces]
        for milestone, piece in zip(state.milestones, model.pieces, strict=True):
            runs = piece.review is not None and piece.review.due is not None
            assert not runs or (piece.review is not None and milestone.review_due_at == piece.review.due)
            assert milestone.hold_until == piece.limit
        assert {key: one.state for key, one in state.former.items()} == {
            key: one.state for key, one in model.former.items()
        }
        assert {key: one.state for key, one in state.change_requests.items()} == {
            key: one.state for key, one in model.petitions.items()
        }
        assert state.updates_posted == model.updates

    def compare_disagreements(self) -> None:
        state, model = self.story.state, self.model
        assert (state.ending is not None) == model.ending
        if state.state is ContractState.ACTIVE and state.ending is not None:
            assert state.ending.money_went_back == model.went_back
        assert {one.id: (one.amount_minor, one.by_ending) for one in state.refunds.values() if one.state == "OPEN"} == {
            one.wish.id: (one.wish.amount, one.wish.of_ending) for one in model.pieces if one.wish is not None
        }
        answered = {one.id: one.state for one in state.refunds.values() if one.state != "OPEN" and not one.by_ending}
        assert answered == {key: how for key, how in model.answered_wishes.items() if key in answered}
        assert {
            one.id: (
                *(one.state, one.opened_by, one.claim_minor, one.overdue, one.by_hold_limit),
                {side: offer for side in Side if (offer := one.offer_of(side)) is not None},
                {side for side in Side if one.is_withdrawn_by(side)},
                {side: count for side in Side if (count := one.evidence_of(side))},
            )
            for one in state.disputes.values()
            if one.is_undecided
        } == {
            one.id: (
                *(one.state, one.opener, one.claim, one.told, one.by_law),
                one.offers,
                one.gave_up,
                dict(one.evidence),
            )
            for one in (piece.quarrel for piece in model.pieces)
            if one is not None
        }
        decided = {one.id: one.state for one in state.disputes.values() if not one.is_undecided}
        assert decided == model.settled_quarrels
        barred = [{side: one.barred_until(side) for side in Side} for one in state.milestones]
        assert barred == [{side: one.bars.get(side) for side in Side} for one in model.pieces]

    def compare_money(self) -> None:
        state, model = self.story.state, self.model
        assert {key: (one.state, one.action, one.returned) for key, one in state.deposits.items()} == {
            key: (one.state, one.action, tuple(one.returned)) for key, one in model.charges.items()
        }
        for key, charge in model.charges.items():
            reversal = state.deposits[key].reversal
            assert (reversal or "") in {"": ("",), "OPEN": ("OPEN", "FORFEITED")}.get(
                charge.reversal or "", (charge.reversal,)
            )
            deposit = state.deposits[key]
            assert deposit.hold_until == charge.limit
            sums = deposit.outstanding_minor, deposit.forfeited_minor, deposit.restored_minor
            assert sums == (charge.out, charge.forfeited, charge.restored)
            assert deposit.evidence_due_at == charge.evidence
            assert [
                (one.reference, one.taken_minor, one.given_back_minor, one.outcome) for one in deposit.reversals
            ] == [(one.name, one.taken, one.back, one.end) for one in charge.chargebacks]
        assert set(state.costs) == model.costs
        assert {
            one.id: (one.kind, one.state, one.amount, one.is_stuck)
            for one in state.orders.values()
            if one.kind is not OrderKind.DEPOSIT
        } == {key: (one.kind, one.state, one.amount, one.stuck) for key, one in model.sendings.items()}
        lawful = Counter(
            {
                (account if ":" in account else f"{account}:{currency}", currency): minor
                for (account, currency), minor in model.books.items()
                if minor
            }
        )
        assert {key: minor for key, minor in self.books.balances.items() if minor} == lawful

    def compare_clocks(self) -> None:
        state, model = self.story.state, self.model
        clocks = deadlines(state)
        assert [(one.due_at, RANKS[one.kind], one.position, one.subject_id) for one in clocks] == model.clocks()
        seen = [one for one in clocks if one.kind not in UNSEEN]
        assert [one.due_at for one in seen] == [at for at, *_ in model.seen()]
        assert next_deadline(state) == (seen[0] if seen else None)

    def check_ways_out(self) -> None:
        """Where money is held, either side can get it out without the other."""
        state, around = self.story.state, self.story.around()
        if not any(milestone.held_minor for milestone in state.milestones):
            return
        assert around.client is not None
        assert around.freelancer is not None
        signature = (
            *((one.state, one.hold, one.is_frozen) for one in state.milestones),
            *(one.state for one in state.disputes.values() if one.is_undecided),
            state.ending is not None,
            sum(one.state == "STARTED" for one in state.deposits.values()),
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
