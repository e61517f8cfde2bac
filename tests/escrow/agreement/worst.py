"""A search over the pure core: everything that three milestones can come to, and whether money gets out against the worst.

Time goes in steps of a day and windows are as short as they may be, so that what lies ahead is a handful of numbers and the
search is finite. What lies ahead is what makes two contracts the same here, not how much money is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from escrow.access import CLOCK, PROVIDER, Actor, Side
from escrow.agreement import commands as c
from escrow.agreement.state import Contract, Deposit, Milestone
from escrow.agreement.step import step
from escrow.ids import Kind
from escrow.money import RawMoney
from escrow.states import ContractState, DepositState, DisputeState, Hold, MilestoneState, ReversalOutcome
from escrow.terms import Terms
from tests.escrow.agreement.stage import CLIENT, MEDIATOR, OPERATOR, Story, party

DAY: Final = timedelta(days=1)
SHORTEST: Final = {
    "offer_hours": 720,
    "review_hours": 48,
    "refund_answer_hours": 48,
    "dispute_answer_hours": 48,
    "mediation_hours": 24,
}

Move = tuple[c.Command, Actor]
Shape = tuple[object, ...]
Node = tuple[Shape, bool]


@dataclass(frozen=True)
class Scene:
    """A contract and what time it is."""

    contract: Contract
    now: datetime
    limit: timedelta | None = None
    """For how long the provider may hold money."""

    def play(self, command: c.Command, actor: Actor) -> Scene | None:
        """The scene after a command; `None` if it was refused."""
        around = replace(_WORLD.around(actor), now=self.now, terms=Terms(usual_hold_limit=self.limit))
        done = step(self.contract, command, actor=actor, around=around, fresh=_WORLD.fresh)
        assert done.after is not None
        return replace(self, contract=done.after) if done.refusal is None else None

    def next_day(self) -> Scene:
        later = replace(self, now=self.now + DAY)
        return later.play(c.ApplyDeadlines(contract_id=self.contract.id), CLOCK) or later

    def at_its_limit(self) -> Scene | None:
        """The scene when something of what is held may first be held no longer, if anything may not."""
        ends = [one.hold_until for one in self.contract.milestones if one.hold_until is not None]
        ahead = [end for end in ends if end > self.now]
        if not ahead:
            return None
        later = replace(self, now=min(ahead))
        return later.play(c.ApplyDeadlines(contract_id=self.contract.id), CLOCK) or later

    def shape(self) -> Shape:
        """What lies ahead: states, holds, clocks and bars, in days from now."""
        ending = self.contract.ending
        how_ending = None if ending is None else (ending.by, ending.money_went_back)
        milestones = tuple(self._shape_of(one) for one in self.contract.milestones)
        return (self.contract.state, how_ending, milestones)

    def _shape_of(self, milestone: Milestone) -> Shape:
        if not milestone.is_held:
            return (milestone.state,)
        refund, dispute = self.contract.open_refund(milestone), self.contract.open_dispute(milestone)
        held: Shape = ()
        if refund is not None:
            held = (refund.by_ending, refund.amount_minor < milestone.held_minor, self._days(refund.due_at))
        elif dispute is not None:
            agreed = (dispute.client_withdraws, dispute.freelancer_withdraws)
            held = (dispute.state, dispute.opened_by, dispute.silence_pays, agreed, self._days(dispute.due_at))
        review = None
        if milestone.review_due_at is not None:
            review = (milestone.review_due_at - (milestone.review_frozen_at or self.now)) / DAY
        bars = (self._days(milestone.client_barred_until), self._days(milestone.freelancer_barred_until))
        limit = self._days(milestone.hold_until)
        return (milestone.state, milestone.hold, held, review, bars, milestone.is_frozen, limit)

    def _days(self, at: datetime | None) -> float:
        return 0 if at is None else max(0, (at - self.now) / DAY)

    def sketch(self) -> Shape:
        """The same without days: what kind of situation this is."""
        milestones = map(self._sketch_of, self.contract.milestones)
        return (self.contract.state, self.contract.ending is not None, *milestones)

    def _sketch_of(self, milestone: Milestone) -> Shape:
        dispute = self.contract.open_dispute(milestone)
        argued = None if dispute is None else (dispute.state, dispute.opened_by, dispute.by_hold_limit)
        return (milestone.state, milestone.hold, argued, milestone.is_frozen)

    def identifier(self, kind: Kind) -> str:
        return _WORLD.fresh(kind)


_WORLD: Final = Story()
PENNY: Final = RawMoney(Decimal("0.01"), "USD")
NOTHING: Final = RawMoney(Decimal("0.00"), "USD")


def beginning(milestones: int, limit: timedelta | None = None) -> Scene:
    """An accepted contract with that many planned milestones."""
    story = Story().propose(*["1000.00"] * milestones, windows=SHORTEST).accept()
    return Scene(story.state, story.now, limit)


def moves(scene: Scene, side: Side) -> Iterator[Move]:
    """Everything that one side may do about money that is held, and work."""
    actor = party(side)
    for milestone in scene.contract.milestones:
        if milestone.is_held:
            yield from ((command, actor) for command in _on_milestone(scene, milestone, side))
    yield c.End(contract_id=scene.contract.id, giving_up=_all_that_is_held(scene, side)), actor
    if side is Side.CLIENT:
        yield c.WithdrawEnd(contract_id=scene.contract.id), actor


def _all_that_is_held(scene: Scene, side: Side) -> RawMoney | None:
    return None if side is Side.CLIENT else RawMoney(Decimal(scene.contract.held_minor) / 100, "USD")


def _on_milestone(scene: Scene, milestone: Milestone, side: Side) -> Iterator[c.PartyCommand]:
    name = milestone.id
    if side is Side.CLIENT:
        yield c.Approve(milestone_id=name)
    else:
        yield c.GiveRefund(milestone_id=name)
    if milestone.hold is not Hold.DISPUTE:
        yield c.OpenDispute(milestone_id=name, dispute_id=scene.identifier(Kind.DISPUTE), claim=PENNY, reason="x")
    if milestone.hold is Hold.NONE:
        yield from _ordinary(scene, name, side)
    refund, dispute = scene.contract.open_refund(milestone), scene.contract.open_dispute(milestone)
    if refund is not None:
        yield c.WithdrawRefund(refund_id=refund.id) if side is Side.CLIENT else c.AcceptRefund(refund_id=refund.id)
        if side is Side.FREELANCER:
            yield c.DeclineRefund(refund_id=refund.id, dispute_id=scene.identifier(Kind.DISPUTE), reason="x")
    if dispute is not None:
        yield c.AcceptClaim(dispute_id=dispute.id)
        yield c.RejectClaim(dispute_id=dispute.id)
        yield c.WithdrawDispute(dispute_id=dispute.id)


def _ordinary(scene: Scene, name: str, side: Side) -> Iterator[c.PartyCommand]:
    if side is Side.CLIENT:
        yield c.Approve(milestone_id=name, amount=PENNY)
        yield c.RequestChanges(milestone_id=name, note="x")
        for amount in (None, PENNY):
            yield c.RequestRefund(milestone_id=name, refund_id=scene.identifier(Kind.REFUND_REQUEST), amount=amount)
    else:
        yield c.Submit(milestone_id=name, submission_id=scene.identifier(Kind.SUBMISSION), message="x")
        yield c.GiveRefund(milestone_id=name, amount=PENNY)


def resisting(scene: Scene, side: Side, places: frozenset[int]) -> Iterator[Move]:
    """Everything that one side may do on the milestones at those places, and with the contract, that gives nothing away."""
    actor = party(side)
    for milestone in scene.contract.milestones:
        if milestone.is_held and milestone.position in places:
            for command in _on_milestone(scene, milestone, side):
                if not isinstance(command, (c.GiveRefund, c.AcceptRefund, c.AcceptClaim)) and command != c.Approve(
                    milestone_id=milestone.id
                ):
                    yield command, actor
    if side is Side.CLIENT:
        yield c.End(contract_id=scene.contract.id), actor
        yield c.WithdrawEnd(contract_id=scene.contract.id), actor


def paying(scene: Scene, *, reversals: bool) -> Iterator[Move]:
    """What brings money in, the provider's answers included, and what takes it back."""
    contract = scene.contract
    deposit, order = scene.identifier(Kind.DEPOSIT), scene.identifier(Kind.ORDER)
    for milestone in contract.milestones:
        if milestone.state is MilestoneState.PLANNED:
            yield c.Fund(milestone_id=milestone.id, deposit_id=deposit, order_id=order), CLIENT
    yield c.FundContract(contract_id=contract.id, deposit_id=deposit, order_id=order), CLIENT
    for one in contract.deposits.values():
        charge = contract.money(one.charge_minor)
        if one.state is DepositState.STARTED:
            yield c.ConfirmDeposit(contract_id=contract.id, deposit_id=one.id, amount=charge), PROVIDER
        elif reversals and one.state is DepositState.CONFIRMED and one.reversal is None:
            yield _taken_back(contract, one, None), PROVIDER
        elif one.is_argued_about:
            for outcome in ReversalOutcome:
                yield c.ResolveReversal(deposit_id=one.id, outcome=outcome), OPERATOR
                yield _taken_back(contract, one, outcome), PROVIDER


def _taken_back(contract: Contract, deposit: Deposit, outcome: ReversalOutcome | None) -> c.ReverseDeposit:
    charge = contract.money(deposit.charge_minor)
    return c.ReverseDeposit(contract_id=contract.id, deposit_id=deposit.id, amount=charge, reason="x", outcome=outcome)


def reachable(start: Scene, *, reversals: bool) -> dict[Shape, Scene]:
    """One scene of every situation that anybody's moves and time lead to."""
    found = {start.sketch(): start}
    waiting = deque([start])
    while waiting:
        scene = waiting.popleft()
        for one in _whatever_follows(scene, reversals=reversals):
            if one is not None and one.sketch() not in found:
                found[one.sketch()] = one
                waiting.append(one)
    return found


def _whatever_follows(scene: Scene, *, reversals: bool) -> Iterator[Scene | None]:
    if scene.contract.state is ContractState.ACTIVE:
        for side in Side:
            yield from (scene.play(*move) for move in moves(scene, side))
        yield from (scene.play(*move) for move in paying(scene, reversals=reversals))
        yield scene.next_day()
        yield scene.at_its_limit()


class Siege:
    """One side that wants its money out and concedes nothing, against the other, who may do whatever it can whenever it can.

    The first looks in once a day and plays by a rule: it answers every hold so that somebody else decides, and starts a
    dispute of its own where none is. The other makes any number of moves before and after that, as late as it likes. A
    mediator decides what was in mediation for a day; the operator resolves reversals. Nobody stops time: if the other side
    can't come back to a morning that was there before, it can't hold out for ever.
    """

    def __init__(self, side: Side, *places: int) -> None:
        self.side = side
        self.places = frozenset(places)
        """The milestones that are fought for: where the other side moves, and whose money has to get out."""
        self.won: set[Shape] = set()
        """The mornings after which surely nothing is held one day."""
        self._known: dict[Node, tuple[tuple[Scene, bool], ...]] = {}
        self._tomorrow: dict[Shape, Scene] = {}

    def holds_out(self, scene: Scene) -> list[Shape] | None:
        """How the other side keeps money held for ever, from this scene on, morning by morning; `None` if it can't."""
        path: dict[Shape, None] = {}
        stack: list[tuple[Shape, Iterator[Scene]]] = []

        def enter(morning: Scene) -> None:
            path[morning.shape()] = None
            stack.append((morning.shape(), iter(self._next_mornings(morning))))

        if scene.shape() not in self.won:
            enter(scene)
        while stack:
            shape, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                del path[shape]
                self.won.add(shape)
            elif following.shape() in path:
                return [*path, following.shape()]
            elif following.shape() not in self.won:
                enter(following)
        return None

    def is_held(self, scene: Scene) -> bool:
        return any(one.is_held and one.position in self.places for one in scene.contract.milestones)

    def _next_mornings(self, morning: Scene) -> list[Scene]:
        """Every morning that this day can lead to with money still held."""
        seen = {(morning.shape(), False)}
        waiting = [(morning, False)]
        mornings: dict[Shape, Scene] = {}
        while waiting:
            scene, answered = waiting.pop()
            for after, then in self._what_happens(scene, answered):
                if (after.shape(), then) not in seen:
                    seen.add((after.shape(), then))
                    waiting.append((after, then))
            if answered:
                later = self._next_morning(scene)
                if self.is_held(later):
                    mornings[later.shape()] = later
        return list(mornings.values())

    def _next_morning(self, evening: Scene) -> Scene:
        """What the mediator, the operator and the clock make of an evening."""
        shape = evening.shape()
        if shape not in self._tomorrow:
            self._tomorrow[shape] = decided(evening).next_day()
        return self._tomorrow[shape]

    def _what_happens(self, scene: Scene, answered: bool) -> tuple[tuple[Scene, bool], ...]:
        """What the other side may do next, or this side, within the day."""
        key = (scene.shape(), answered)
        if key not in self._known:
            played = (scene.play(*move) for move in resisting(scene, self.side.other, self.places))
            after = [(one, answered) for one in played if one is not None]
            if not answered:
                after.append((self.answer(scene), True))
            self._known[key] = tuple((one, then) for one, then in after if self.is_held(one))
        return self._known[key]

    def answer(self, scene: Scene) -> Scene:
        """The scene after the side did what its rule says about every milestone."""
        for milestone in scene.contract.milestones:
            move = self._rule(scene, milestone)
            if move is not None:
                scene = scene.play(move, party(self.side)) or scene
        return scene

    def _rule(self, scene: Scene, milestone: Milestone) -> c.PartyCommand | None:
        if not milestone.is_held:
            return None
        refund, dispute = scene.contract.open_refund(milestone), scene.contract.open_dispute(milestone)
        dispute_id = scene.identifier(Kind.DISPUTE)
        if refund is not None:
            if self.side is Side.CLIENT:
                return None
            return c.DeclineRefund(refund_id=refund.id, dispute_id=dispute_id, reason="x")
        if dispute is not None:
            return None if dispute.opened_by is self.side else c.RejectClaim(dispute_id=dispute.id)
        return c.OpenDispute(milestone_id=milestone.id, dispute_id=dispute_id, claim=PENNY, reason="x")


def decided(scene: Scene) -> Scene:
    """What mediator and operator do in a day: every dispute that is in mediation is split, every reversal resolved."""
    for deposit in scene.contract.deposits.values():
        if deposit.is_argued_about:
            resolve = c.ResolveReversal(deposit_id=deposit.id, outcome=ReversalOutcome.WON)
            scene = scene.play(resolve, OPERATOR) or scene
    for dispute in scene.contract.disputes.values():
        if dispute.state is DisputeState.MEDIATION:
            decide = c.DecideDispute(dispute_id=dispute.id, to_freelancer=PENNY, reason="x")
            scene = scene.play(decide, MEDIATOR) or scene
    return scene
