"""The types of the answer to `preview`: what a command would do."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import strawberry
from strawberry.scalars import JSON

from escrow import codec, previews
from escrow.access import ActorKind, Side
from escrow.agreement import deadlines, events
from escrow.agreement import state as domain
from escrow.agreement.postings import Posting
from escrow.states import ContractState, Hold, MilestoneState
from schema.engine.context import Context
from schema.types.common import Actor, Money, money_of
from schema.types.endings import Ending
from schema.user_errors import UserError


@strawberry.type(description="An event that the command would cause.")
class ForeseenEvent:
    type: str = strawberry.field(description="What would have happened: `milestone.released`.")
    occurred_at: datetime = strawberry.field(
        description="When: now, or the due time of a deadline that the command would apply first."
    )
    actor: Actor = strawberry.field(description="Who would have caused it.")
    data: JSON = strawberry.field(
        description="What would change, as the event would hold it. Identifiers of what is made will be other ones."
    )
    texts: JSON = strawberry.field(description="The words that would stand beside it, by name.")

    @classmethod
    def of(cls, recorded: events.Recorded) -> ForeseenEvent:
        data, texts = codec.encode(recorded.event)
        return cls(
            type=recorded.event.type,
            occurred_at=recorded.at,
            actor=Actor.of(recorded.actor.wire()),
            data=cast("JSON", data),
            texts=cast("JSON", {name: value for name, value in texts.items() if name not in events.WITHHELD}),
        )


@strawberry.type(description="Money that the command would move.")
class ForeseenTransfer:
    event: int = strawberry.field(description="The event that would cause it: its place in `events`, from 0.")
    debit: str = strawberry.field(description="The ledger account that the money would leave.")
    credit: str = strawberry.field(description="The ledger account that it would go to.")
    amount: Money = strawberry.field(description="How much.")

    @classmethod
    def of(cls, event: int, leg: Posting) -> ForeseenTransfer:
        amount = money_of(leg.amount.minor, leg.amount.currency)
        return cls(event=event, debit=leg.debit, credit=leg.credit, amount=amount)


@strawberry.type(description="What of the money would be the operator's fees.")
class ForeseenFees:
    client_asked: Money = strawberry.field(
        description="Asked of the client on top of the price, with a deposit that would be started."
    )
    client_held: Money = strawberry.field(description="Paid in with a deposit, and held beside the price.")
    client_earned: Money = strawberry.field(description="Of what is held: earned with a release.")
    client_returned: Money = strawberry.field(description="Of what is held: returned to the client with a refund.")
    freelancer_earned: Money = strawberry.field(description="Taken from what would be paid to the freelancer.")

    @classmethod
    def of(cls, fees: previews.Fees, currency: str) -> ForeseenFees:
        return cls(
            client_asked=money_of(fees.client_asked_minor, currency),
            client_held=money_of(fees.client_held_minor, currency),
            client_earned=money_of(fees.client_earned_minor, currency),
            client_returned=money_of(fees.client_returned_minor, currency),
            freelancer_earned=money_of(fees.freelancer_earned_minor, currency),
        )


@strawberry.type(description="A milestone's state and money at one moment.")
class MilestoneMoment:
    state: MilestoneState = strawberry.field(description="Where it and its money stand.")
    hold: Hold = strawberry.field(description="What freezes it.")
    position: int = strawberry.field(description="Its place in the plan.")
    amount: Money = strawberry.field(description="Its price.")
    held: Money = strawberry.field(description="What escrow holds for it, without the client's fee.")

    @classmethod
    def of(cls, milestone: domain.Milestone, currency: str) -> MilestoneMoment:
        return cls(
            state=milestone.state,
            hold=milestone.hold,
            position=milestone.position,
            amount=money_of(milestone.amount_minor, currency),
            held=money_of(milestone.held_minor, currency),
        )


@strawberry.type(description="A milestone that the command would change, before and after it.")
class MilestoneChange:
    milestone_id: strawberry.ID = strawberry.field(description="The milestone.")
    title: str = strawberry.field(description="What it would be called.")
    before: MilestoneMoment | None = strawberry.field(description="As it is; null if it would be added.")
    after: MilestoneMoment = strawberry.field(description="As it would be.")


@strawberry.type(description="A deposit, refund request, dispute or change request before and after the command.")
class ObjectChange:
    id: strawberry.ID = strawberry.field(description="Which one it is, as its prefix tells; a new one's is made up.")
    before: str | None = strawberry.field(description="Its state as it is; null if it would be made.")
    after: str = strawberry.field(description="Its state as it would be.")


@strawberry.type(description="The contract's state before and after the command.")
class ContractChange:
    before: ContractState | None = strawberry.field(description="As it is; null if it would be proposed.")
    after: ContractState = strawberry.field(description="As it would be.")
    ending: Ending | None = strawberry.field(description="Who would be ending it then, if somebody would.")


@strawberry.type(description="A clock that the command would start or stop.")
class ForeseenDeadline:
    subject: strawberry.ID = strawberry.field(
        description="What it runs on: the contract, a milestone, a deposit, or whatever else waits."
    )
    at: datetime = strawberry.field(description="When it rings.")
    action: str = strawberry.field(description="The type of the event that happens then.")
    in_favour_of: Side | None = strawberry.field(description="The side that the silence favours, if it favours one.")

    @classmethod
    def of(cls, clock: deadlines.Deadline) -> ForeseenDeadline:
        return cls(
            subject=strawberry.ID(clock.subject_id),
            at=clock.due_at,
            action=clock.action,
            in_favour_of=clock.in_favour_of,
        )


@strawberry.type(
    description=(
        "What a command would do if it were given now, or why it would be refused. Deadlines that are due are applied first, as "
        "they would be; what they do is part of it, also with a refusal."
    )
)
class Preview:
    refusal: UserError | None = strawberry.field(description="Why it would be refused; null if it would be done.")
    events: list[ForeseenEvent] = strawberry.field(description="What would happen, in order.")
    transfers: list[ForeseenTransfer] = strawberry.field(
        description="The money that would move, in order. Empty for mediators."
    )
    fees: ForeseenFees | None = strawberry.field(
        description="What of the money would be fees; null if nothing would happen."
    )
    contract: ContractChange | None = strawberry.field(
        description="The contract's state before and after; null if nothing would happen."
    )
    milestones: list[MilestoneChange] = strawberry.field(
        description="The milestones that would be added or would change."
    )
    objects: list[ObjectChange] = strawberry.field(
        description="The deposits, refund requests, disputes and change requests that would be made or change their state."
    )
    deadlines_started: list[ForeseenDeadline] = strawberry.field(
        description="The clocks that would start, or be set to another time."
    )
    deadlines_stopped: list[ForeseenDeadline] = strawberry.field(description="The clocks that would stop.")

    @classmethod
    async def of(cls, found: previews.Preview, context: Context) -> Preview:
        """The answer; refuses with `QUERY_TOO_COMPLEX` what is too long for one operation."""
        after = found.after if found.recorded else None
        currency = after.currency if after is not None else ""
        changes = found.milestones() if after is not None else []
        legs = found.transfers() if _handles_money(after, context) else ()
        transfers = [ForeseenTransfer.of(place, leg) for place, leg in legs]
        await context.afford(len(found.recorded) + len(transfers) + len(changes))
        return cls(
            refusal=UserError.of(found.refusal) if found.refusal is not None else None,
            events=[ForeseenEvent.of(one) for one in found.recorded],
            transfers=transfers,
            fees=ForeseenFees.of(found.fees(), currency) if after is not None else None,
            contract=_contract(found.before, after) if after is not None else None,
            milestones=[_milestone(change, currency) for change in changes],
            objects=[
                ObjectChange(id=strawberry.ID(one.id), before=one.before, after=one.after) for one in found.objects()
            ],
            deadlines_started=[ForeseenDeadline.of(clock) for clock in found.started()],
            deadlines_stopped=[ForeseenDeadline.of(clock) for clock in found.stopped()],
        )


def _handles_money(contract: domain.Contract | None, context: Context) -> bool:
    """Whether how the contract's money comes and goes is the viewer's business: it isn't a mediator's."""
    actor = context.known()
    return contract is not None and (actor.kind is ActorKind.OPERATOR or contract.side_of(actor.account_id) is not None)


def _contract(before: domain.Contract | None, after: domain.Contract) -> ContractChange:
    return ContractChange(
        before=before.state if before is not None else None,
        after=after.state,
        ending=Ending.of(after.ending) if after.ending is not None else None,
    )


def _milestone(change: previews.MilestoneChange, currency: str) -> MilestoneChange:
    return MilestoneChange(
        milestone_id=strawberry.ID(change.after.id),
        title=change.after.title,
        before=MilestoneMoment.of(change.before, currency) if change.before is not None else None,
        after=MilestoneMoment.of(change.after, currency),
    )
