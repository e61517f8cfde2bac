"""The commands: a transaction for each, with the contract's row locked."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import strawberry
from tortoise.transactions import in_transaction

from escrow import database, ids, models
from escrow.ids import Kind
from tests.benchmarks.peers.plain.types import (
    Info,
    Milestone,
)


@strawberry.type
class UserError:
    code: str
    message: str


@strawberry.type
class Payload:
    milestone: Milestone | None
    user_errors: list[UserError]


@strawberry.input
class SubmitMilestoneInput:
    milestone_id: strawberry.ID
    message: str
    links: list[str] = strawberry.field(default_factory=list)


@strawberry.input
class ApproveMilestoneInput:
    milestone_id: strawberry.ID
    message: str | None = None


@strawberry.input
class FundMilestoneInput:
    milestone_id: strawberry.ID
    payment_token: str | None = None


@strawberry.input
class MoneyInput:
    amount: str
    currency: str


@strawberry.input
class MilestoneInput:
    title: str
    purpose: str
    amount: MoneyInput
    due_on: date
    deliverables: list[str] = strawberry.field(default_factory=list)


@strawberry.input
class AddMilestoneInput:
    contract_id: strawberry.ID
    milestone: MilestoneInput


class Refused(Exception):
    """The rules are against it."""


@dataclass
class Step:
    """A contract that is locked, one of its milestones, and the moment."""

    contract: models.Contract
    milestone: models.Milestone
    now: datetime
    key: models.ApiKey

    @classmethod
    async def on(cls, milestone_id: str, info: Info, side: str, state: str) -> Step:
        milestone = await models.Milestone.get(id=milestone_id)
        contract = await models.Contract.filter(id=milestone.contract_id).select_for_update().get()
        await milestone.refresh_from_db()
        if getattr(contract, side) != info.context.account_id:
            raise Refused("FORBIDDEN")
        if milestone.state != state:
            raise Refused("INVALID_STATE")
        return cls(contract, milestone, datetime.now(UTC), info.context.key)

    async def record(self, kind: str, data: dict[str, Any], words: dict[str, Any]) -> str:
        """Append an event with its words, and move the contract on."""
        contract, event_id = self.contract, ids.new(Kind.EVENT)
        salts = {name: secrets.token_bytes(16) for name in words}
        bodies = {name: json.dumps(value) for name, value in words.items()}
        hashes = {name: sha256(salts[name] + bodies[name].encode()).hexdigest() for name in words}
        body = json.dumps(
            {
                "actor": {"kind": "ACCOUNT", "account": self.key.account_id, "key": self.key.id},
                "data": data | {"texts": hashes},
                "id": event_id,
                "occurredAt": self.now.isoformat(),
                "previousHash": contract.last_hash,
                "sequence": contract.version + 1,
                "stream": contract.id,
                "type": kind,
                "version": 1,
            },
            sort_keys=True,
        )
        event = await models.Event.create(
            id=event_id,
            stream_id=contract.id,
            sequence=contract.version + 1,
            type=kind,
            schema_version=1,
            occurred_at=self.now,
            body=body,
            hash=sha256(body.encode()).hexdigest(),
            previous_hash=contract.last_hash,
        )
        for name in words:
            await models.Text.create(
                event_id=event_id, field=name, salt=salts[name], body=bodies[name], stream_id=contract.id
            )
        await models.PendingEvent.create(event_id=event_id, stream_id=contract.id)
        contract.version, contract.last_hash = event.sequence, event.hash
        contract.last_event_at = contract.updated_at = self.now
        await contract.save()
        return event_id

    async def start_clock(self, kind: str, subject_id: str, due_at: datetime, announced: timedelta) -> None:
        reminder = due_at - announced
        for one, subject, at in ((kind, subject_id, due_at), ("REMINDER", self.milestone.id, reminder)):
            await models.Deadline.create(contract_id=self.contract.id, kind=one, subject_id=subject, due_at=at)

    def payload(self) -> Payload:
        return Payload(milestone=Milestone.of(self.milestone, self.contract.currency), user_errors=[])


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def submit_milestone(self, info: Info, input: SubmitMilestoneInput) -> Payload:  # noqa: A002
        info.context.may("contracts:write")
        async with in_transaction():
            step = await Step.on(input.milestone_id, info, "freelancer_id", "ACTIVE")
            milestone, contract = step.milestone, step.contract
            due_at = step.now + timedelta(hours=contract.review_hours)
            milestone.state, milestone.submissions = "SUBMITTED", milestone.submissions + 1
            milestone.updated_at, milestone.review_due_at, milestone.deadline_at = step.now, due_at, due_at
            contract.deadline_at = due_at
            await milestone.save()
            submission = await models.Submission.create(
                id=ids.new(Kind.SUBMISSION),
                contract_id=contract.id,
                milestone_id=milestone.id,
                number=milestone.submissions,
                message=input.message,
                links=input.links,
                attachments=[],
                submitted_at=step.now,
            )
            await models.Deadline.filter(contract_id=contract.id, kind="DORMANCY").delete()
            await step.start_clock("REVIEW", milestone.id, due_at, timedelta(days=7))
            data = {"milestoneId": milestone.id, "number": 1, "reviewDueAt": f"{due_at}", "submissionId": submission.id}
            words = {"attachments": [], "links": input.links, "message": input.message}
            await step.record("milestone.submitted", data, words)
        return step.payload()

    @strawberry.mutation
    async def approve_milestone(self, info: Info, input: ApproveMilestoneInput) -> Payload:  # noqa: A002
        info.context.may("money:write")
        async with in_transaction():
            step = await Step.on(input.milestone_id, info, "client_id", "SUBMITTED")
            milestone, contract = step.milestone, step.contract
            held = milestone.held_minor
            milestone.state, milestone.held_minor, milestone.released_minor = "RELEASED", 0, held
            milestone.lots, milestone.review_due_at, milestone.deadline_at = [], None, None
            milestone.updated_at, contract.deadline_at = step.now, None
            await milestone.save()
            await models.Deadline.filter(contract_id=contract.id, subject_id=milestone.id).delete()
            data = {"amount": held, "milestoneId": milestone.id, "reason": "APPROVED"}
            event_id = await step.record("milestone.released", data, {"message": input.message})
            await _pay(step, event_id, held)
        return step.payload()

    @strawberry.mutation
    async def fund_milestone(self, info: Info, input: FundMilestoneInput) -> Payload:  # noqa: A002
        info.context.may("money:write")
        deposit_id, order_id = ids.new(Kind.DEPOSIT), ids.new(Kind.ORDER)
        async with in_transaction():
            step = await Step.on(input.milestone_id, info, "client_id", "PLANNED")
            milestone, contract = step.milestone, step.contract
            due_at = step.now + timedelta(hours=contract.deposit_hours)
            # Each of the two names the other, which is looked at when the statement ends: so they are made by one.
            await database.execute(_ORDER, order_id, contract.id, milestone.amount_minor, contract.currency, deposit_id,
                f"plain:{input.payment_token}", contract.revision, json.dumps(
                    [{"milestone_id": milestone.id, "amount_minor": milestone.amount_minor, "fee_minor": 0}]),
                step.now, due_at)  # fmt: skip
            milestone.state, milestone.deposit_id, milestone.deadline_at = "FUNDING", deposit_id, due_at
            milestone.updated_at, contract.deadline_at = step.now, due_at
            await milestone.save()
            await step.start_clock("DEPOSIT", deposit_id, due_at, timedelta(hours=48))
            data = {
                "charge": milestone.amount_minor,
                "depositId": deposit_id,
                "dueAt": f"{due_at}",
                "orderId": order_id,
            }
            await step.record("deposit.started", data, {"paymentToken": input.payment_token})
        return step.payload()

    @strawberry.mutation
    async def add_milestone(self, info: Info, input: AddMilestoneInput) -> Payload:  # noqa: A002
        info.context.may("contracts:write")
        async with in_transaction():
            contract = await models.Contract.filter(id=input.contract_id).select_for_update().get()
            if contract.client_id != info.context.account_id:
                raise Refused("FORBIDDEN")
            last = await models.Milestone.filter(contract_id=contract.id).order_by("-position").first()
            given, now = input.milestone, datetime.now(UTC)
            nothing: dict[str, Any] = dict.fromkeys(_NOTHING, 0)
            milestone = await models.Milestone.create(
                id=ids.new(Kind.MILESTONE),
                contract_id=contract.id,
                revision=contract.revision,
                position=last.position + 1 if last else 1,
                state="PLANNED",
                title=given.title,
                purpose=given.purpose,
                deliverables=given.deliverables,
                due_on=given.due_on,
                amount_minor=int(given.amount.amount.replace(".", "")),
                **nothing,
                submissions=0,
                updated_at=now,
                client_id=contract.client_id,
                freelancer_id=contract.freelancer_id,
                hold="NONE",
                lots=[],
            )
            contract.plan_version += 1
            step = Step(contract, milestone, now, info.context.key)
            data = {"dueOn": f"{given.due_on}", "milestoneId": milestone.id, "position": milestone.position}
            words = {"deliverables": given.deliverables, "purpose": given.purpose, "title": given.title}
            await step.record("milestone.added", data, words)
        return step.payload()


async def _pay(step: Step, event_id: str, minor: int) -> None:
    contract = step.contract
    escrow, payable = f"escrow:{step.milestone.id}", f"payable:{contract.id}:freelancer"
    await models.Transfer.create(
        id=ids.new(Kind.TRANSFER),
        contract_id=contract.id,
        event_id=event_id,
        debit=escrow,
        credit=payable,
        amount_minor=minor,
        currency=contract.currency,
        occurred_at=step.now,
    )
    for account, change in ((escrow, -minor), (payable, minor)):
        place: dict[str, Any] = {"account": account, "currency": contract.currency}
        balance = await models.Balance.get_or_none(**place)
        if balance is None:
            await models.Balance.create(**place, contract_id=contract.id, balance_minor=change)
        else:
            await models.Balance.filter(**place).update(balance_minor=balance.balance_minor + change)


_NOTHING: Final = (
    "held_minor", "held_fee_minor", "base_minor", "base_fee_minor", "released_minor", "refunded_minor",
    "freelancer_fee_minor", "client_fee_minor", "bonus_minor", "rolled_minor", "lost_minor",
)  # fmt: skip
_ORDER: Final = """
WITH ordered AS (
    INSERT INTO payment_orders (id, contract_id, kind, state, amount_minor, currency, deposit_id, payment_token)
    VALUES ($1, $2, 'DEPOSIT', 'STARTED', $3, $4, $5, $6)
)
INSERT INTO deposits (id, contract_id, order_id, revision, state, parts, charge_minor, currency, started_at, due_at)
VALUES ($5, $2, $1, $7, 'STARTED', $8, $3, $4, $9, $10)
"""
