"""Shows what a command would do if it were given now (a dry run): events, transfers, fees, states and deadlines, or its refusal.

It reads and decides exactly as `pipeline.run` does and stops before the write. Identifiers of what the command would make
are made up: it will make others when it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from escrow import pipeline
from escrow.access import Actor, Side
from escrow.agreement.commands import Command
from escrow.agreement.deadlines import UNSEEN, Deadline, deadlines
from escrow.agreement.postings import Posting, clearing, held_fee_of, payable_to, platform_fees, postings
from escrow.agreement.state import Contract, Milestone
from escrow.agreement.step import Step


@dataclass(frozen=True, slots=True)
class Fees:
    """What the operator's fees have to do with it, in minor units of the contract's currency."""

    client_asked_minor: int = 0
    """Asked of the client with a deposit that would be started."""
    client_held_minor: int = 0
    """Paid in by the client with a deposit that would be confirmed."""
    client_earned_minor: int = 0
    client_returned_minor: int = 0
    freelancer_earned_minor: int = 0


@dataclass(frozen=True, slots=True)
class MilestoneChange:
    """A milestone before and after; `before` is `None` for one that would be added."""

    before: Milestone | None
    after: Milestone


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """The state of a deposit, refund request, dispute or change request before and after; `None` if it would be made."""

    id: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Preview(Step):
    """The consequences of a command, those of deadlines that are due included; with a `refusal` only those.

    Without `after` nothing would happen to anything that the asker may see.
    """

    def transfers(self) -> Iterator[tuple[int, Posting]]:
        """The legs that would be booked, each with the place of its event among `recorded`."""
        if self.after is not None:
            for place, one in enumerate(self.recorded):
                for leg in postings(self.after.id, one.event):
                    yield place, leg

    def fees(self) -> Fees:
        """What of the transfers, and of the deposits that would be started, is fees."""
        if self.after is None:
            return Fees()
        after, currency = self.after, self.after.currency
        held = {held_fee_of(one.id) for one in (*after.milestones, *after.former.values())}
        client, revenue = payable_to(after.id, Side.CLIENT), platform_fees(currency)
        legs = [leg for _, leg in self.transfers()]
        started = [one for one in after.deposits.values() if self.before is None or one.id not in self.before.deposits]
        return Fees(
            client_asked_minor=sum(part.fee_minor for one in started for part in one.parts),
            client_held_minor=_sum(leg for leg in legs if leg.debit == clearing(currency) and leg.credit in held),
            client_earned_minor=_sum(leg for leg in legs if leg.debit in held and leg.credit == revenue),
            client_returned_minor=_sum(leg for leg in legs if leg.debit in held and leg.credit == client),
            freelancer_earned_minor=_sum(leg for leg in legs if leg.debit not in held and leg.credit == revenue),
        )

    def milestones(self) -> list[MilestoneChange]:
        """The milestones that would be added or changed, in the order of the plan; those of a replaced plan last."""
        if self.after is None:
            return []
        known = _milestones(self.before)
        return [
            MilestoneChange(known.get(one.id), one)
            for one in _milestones(self.after).values()
            if known.get(one.id) != one
        ]

    def objects(self) -> list[ObjectChange]:
        """The deposits, refund requests, disputes and change requests that would be made, or whose state would change."""
        if self.after is None:
            return []
        known = _states(self.before)
        return [
            ObjectChange(identifier, known.get(identifier), state)
            for identifier, state in _states(self.after).items()
            if known.get(identifier) != state
        ]

    def started(self) -> list[Deadline]:
        """The clocks that would start or get another time, in the order in which they ring; none that nobody waits for."""
        known = {(one.kind, one.subject_id): one.due_at for one in _clocks(self.before)}
        return [one for one in _clocks(self.after) if known.get((one.kind, one.subject_id)) != one.due_at]

    def stopped(self) -> list[Deadline]:
        """The clocks that would stop, or ring."""
        running = {(one.kind, one.subject_id) for one in _clocks(self.after)}
        return [one for one in _clocks(self.before) if (one.kind, one.subject_id) not in running]


async def preview(command: Command, *, by: Actor) -> Preview:
    """What `command` would do if `by` gave it now; nothing is written. Raises what `pipeline.foresee` raises."""
    step = await pipeline.foresee(command, by=by)
    return Preview(step.before, step.after, step.recorded, step.refusal)


def _sum(legs: Iterator[Posting]) -> int:
    return sum(leg.amount.minor for leg in legs)


def _milestones(contract: Contract | None) -> dict[str, Milestone]:
    if contract is None:
        return {}
    return {one.id: one for one in (*contract.milestones, *contract.former.values())}


def _states(contract: Contract | None) -> dict[str, str]:
    if contract is None:
        return {}
    kinds = (contract.deposits, contract.refunds, contract.disputes, contract.change_requests)
    return {identifier: one.state.value for kind in kinds for identifier, one in kind.items()}


def _clocks(contract: Contract | None) -> list[Deadline]:
    return [one for one in deadlines(contract) if one.kind not in UNSEEN] if contract is not None else []
