"""Each object of a contract as its table's row, and back: the one place that knows which column is which field.

A row is a plain mapping that compares equal to what the database gives, so writing, loading and the audit agree on it.
Columns that are not the domain's (leases of payment orders, the log's counters) are not in these rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from escrow.access import AccountType, Side
from escrow.agreement.deadlines import Deadline
from escrow.agreement.state import (
    Attachment,
    Contract,
    Deposit,
    DepositPart,
    DepositTerm,
    Fees,
    Milestone,
    Order,
    Party,
    Submission,
    Windows,
)
from escrow.database import Record
from escrow.lifecycle import ContractState, DepositState, MilestoneState, OrderKind, OrderState
from escrow.money import Money

Row = dict[str, Any]
Values = tuple[Any, ...]

WINDOWS: Final = tuple(field.name for field in fields(Windows))

CONTRACT: Final = (
    "id", "client_id", "freelancer_id", "state", "title", "description", "currency", "time_zone", "budget_minor",
    "deposit_term", "revision", "written_by", "offered_at", "plan_version", *WINDOWS, "client_fee_bps",
    "freelancer_fee_bps", "created_at", "updated_at",
)  # fmt: skip
MILESTONE: Final = (
    "id", "contract_id", "revision", "position", "state", "title", "purpose", "deliverables", "due_on", "amount_minor",
    "held_minor", "held_fee_minor", "base_minor", "base_fee_minor", "released_minor", "refunded_minor",
    "freelancer_fee_minor", "client_fee_minor", "submissions", "review_due_at", "deposit_id", "updated_at",
    "reminded_hours",
)  # fmt: skip
DEPOSIT: Final = (
    "id", "contract_id", "order_id", "revision", "state", "parts", "charge_minor", "currency", "returned", "started_at",
    "due_at",
)  # fmt: skip
ORDER: Final = ("id", "contract_id", "kind", "state", "amount_minor", "currency", "deposit_id", "payment_token")
SUBMISSION: Final = (
    "id", "contract_id", "milestone_id", "number", "message", "links", "attachments", "submitted_at",
)  # fmt: skip
PARTY: Final = ("id", "type", "is_operator", "disabled")
DEADLINE: Final = ("contract_id", "kind", "subject_id", "due_at")


def contract_row(contract: Contract) -> Row:
    row: Row = {
        "id": contract.id,
        "client_id": contract.client_id,
        "freelancer_id": contract.freelancer_id,
        "state": contract.state.value,
        "title": contract.title,
        "description": contract.description,
        "currency": contract.currency,
        "time_zone": contract.time_zone,
        "budget_minor": contract.budget_minor,
        "deposit_term": contract.deposit_term.value,
        "revision": contract.revision,
        "written_by": contract.written_by.value,
        "offered_at": contract.offered_at,
        "plan_version": contract.plan_version,
        "client_fee_bps": contract.fees.client_bps,
        "freelancer_fee_bps": contract.fees.freelancer_bps,
        "created_at": contract.created_at,
        "updated_at": contract.updated_at,
    }
    row.update((name, getattr(contract.windows, name)) for name in WINDOWS)
    return row


def contract_of(row: Record | Mapping[str, Any], **parts: Any) -> Contract:
    """The contract of a row, with the `parts` (milestones, deposits, …) that were loaded beside it."""
    return Contract(
        id=row["id"],
        client_id=row["client_id"],
        freelancer_id=row["freelancer_id"],
        state=ContractState(row["state"]),
        title=row["title"],
        description=row["description"],
        currency=row["currency"],
        time_zone=row["time_zone"],
        budget_minor=row["budget_minor"],
        deposit_term=DepositTerm(row["deposit_term"]),
        revision=row["revision"],
        written_by=Side(row["written_by"]),
        offered_at=row["offered_at"],
        plan_version=row["plan_version"],
        windows=Windows(*(row[name] for name in WINDOWS)),
        fees=Fees(row["client_fee_bps"], row["freelancer_fee_bps"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        **parts,
    )


def milestone_row(contract_id: str, milestone: Milestone) -> Row:
    row: Row = {name: getattr(milestone, name) for name in MILESTONE if name != "contract_id"}
    row |= {
        "contract_id": contract_id,
        "state": milestone.state.value,
        "deliverables": list(milestone.deliverables),
    }
    return row


def milestone_of(values: Values) -> Milestone:
    """The milestone of a row's values in the order of `MILESTONE`."""
    identifier, _, revision, position, state, title, purpose, deliverables, *rest = values
    return Milestone(identifier, revision, position, MilestoneState(state), title, purpose, tuple(deliverables), *rest)


def deposit_row(contract: Contract, deposit: Deposit) -> Row:
    return {
        "id": deposit.id,
        "contract_id": contract.id,
        "order_id": deposit.order_id,
        "revision": deposit.revision,
        "state": deposit.state.value,
        "parts": [
            {"milestone_id": part.milestone_id, "amount_minor": part.amount_minor, "fee_minor": part.fee_minor}
            for part in deposit.parts
        ],
        "charge_minor": deposit.charge_minor,
        "currency": contract.currency,
        "returned": [{"minor": money.minor, "currency": money.currency} for money in deposit.returned],
        "started_at": deposit.started_at,
        "due_at": deposit.due_at,
    }


def deposit_of(values: Values) -> Deposit:
    """The deposit of a row's values in the order of `DEPOSIT`."""
    identifier, _, order_id, revision, state, parts, _, _, returned, started_at, due_at = values
    return Deposit(
        id=identifier,
        order_id=order_id,
        revision=revision,
        state=DepositState(state),
        parts=tuple(DepositPart(**part) for part in json.loads(parts)),
        started_at=started_at,
        due_at=due_at,
        returned=tuple(Money(**money) for money in json.loads(returned)),
    )


def order_row(contract_id: str, order: Order) -> Row:
    return {
        "id": order.id,
        "contract_id": contract_id,
        "kind": order.kind.value,
        "state": order.state.value,
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
        "deposit_id": order.deposit_id,
        "payment_token": order.payment_token,
    }


def order_of(values: Values) -> Order:
    """The order of a row's values in the order of `ORDER`."""
    identifier, _, kind, state, amount_minor, currency, deposit_id, payment_token = values
    return Order(
        identifier, OrderKind(kind), OrderState(state), Money(amount_minor, currency), deposit_id, payment_token
    )


def submission_row(contract_id: str, submission: Submission) -> Row:
    return {
        "id": submission.id,
        "contract_id": contract_id,
        "milestone_id": submission.milestone_id,
        "number": submission.number,
        "message": submission.message,
        "links": list(submission.links),
        "attachments": [{"name": file.name, "sha256": file.sha256} for file in submission.attachments],
        "submitted_at": submission.submitted_at,
    }


def submission_of(values: Values) -> Submission:
    """The submission of a row's values in the order of `SUBMISSION`."""
    identifier, _, milestone_id, number, message, links, attachments, submitted_at = values
    files = tuple(Attachment(**file) for file in json.loads(attachments))
    return Submission(identifier, milestone_id, number, message, tuple(links), files, submitted_at)


def party_of(values: Values | None) -> Party | None:
    """The account of a row's values in the order of `PARTY`, if it is there."""
    if values is None or values[0] is None:
        return None
    account_id, kind, is_operator, disabled = values
    return Party(account_id, AccountType(kind), is_operator, disabled)


def deadline_row(contract_id: str, deadline: Deadline) -> Row:
    return {
        "contract_id": contract_id,
        "kind": deadline.kind.value,
        "subject_id": deadline.subject_id,
        "due_at": deadline.due_at,
    }


def columns(names: Iterable[str], *, of: str) -> str:
    """Column names as SQL, each with the alias `of` before it."""
    return ", ".join(f"{of}.{name}" for name in names)
