"""Each object of a contract as its table's row, and back: the one place that knows which column is which field.

A row is a plain mapping that compares equal to what the database gives, so writing, loading and the audit agree on it.
Columns that are not the domain's (leases of payment orders, the log's counters) are not in these rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

from escrow.access import AccountType, Side
from escrow.agreement.deadlines import Deadline
from escrow.agreement.state import (
    Contract,
    Deposit,
    DepositPart,
    DepositTerm,
    Ending,
    Fees,
    Mediator,
    Milestone,
    Order,
    Party,
    Submission,
    Windows,
)
from escrow.agreement.state.holdings import Lot
from escrow.database import Record
from escrow.money import Money
from escrow.states import ContractState, DepositState, Hold, MilestoneState, OrderKind, OrderState, ReversalState
from escrow.store.objects import Row, Values, files_of, files_row

WINDOWS: Final = tuple(field.name for field in fields(Windows))

CONTRACT: Final = (
    "id", "client_id", "freelancer_id", "state", "title", "description", "currency", "time_zone", "budget_minor",
    "deposit_term", "revision", "written_by", "offered_at", "plan_version", *WINDOWS, "client_fee_bps",
    "freelancer_fee_bps", "created_at", "updated_at", "ending_by", "ending_requested_at", "ending_money_went_back",
    "all_deposited", "was_disputed", "updates_posted", "is_dormant", "payouts_are_automatic",
)  # fmt: skip
MILESTONE: Final = (
    "id", "contract_id", "revision", "position", "state", "title", "purpose", "deliverables", "due_on", "amount_minor",
    "held_minor", "held_fee_minor", "base_minor", "base_fee_minor", "released_minor", "refunded_minor",
    "freelancer_fee_minor", "client_fee_minor", "submissions", "review_due_at", "deposit_id", "updated_at",
    "reminded_hours", "hold", "hold_id", "review_frozen_at", "review_resumed_at", "client_barred_until",
    "freelancer_barred_until", "frozen_at", "lots", "bonus_deposit_id", "bonus_minor", "rolled_minor", "lost_minor",
)  # fmt: skip
_HOLD, _LOTS = MILESTONE.index("hold"), MILESTONE.index("lots")
DEPOSIT: Final = (
    "id", "contract_id", "order_id", "revision", "state", "parts", "charge_minor", "currency", "returned", "started_at",
    "due_at", "is_bonus", "reversal", "reversed_at", "is_for_everything", "forfeited_minor",
)  # fmt: skip
ORDER: Final = ("id", "contract_id", "kind", "state", "amount_minor", "currency", "deposit_id", "payment_token")
SUBMISSION: Final = (
    "id", "contract_id", "milestone_id", "number", "message", "links", "attachments", "submitted_at",
)  # fmt: skip
PARTY: Final = ("id", "type", "is_operator", "disabled")
MEDIATOR: Final = ("id", "disabled", "shares_member")
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
        "ending_by": contract.ending.by.value if contract.ending else None,
        "ending_requested_at": contract.ending.requested_at if contract.ending else None,
        "ending_money_went_back": contract.ending.money_went_back if contract.ending else None,
        "all_deposited": contract.all_deposited,
        "was_disputed": contract.was_disputed,
        "updates_posted": contract.updates_posted,
        "is_dormant": contract.is_dormant,
        "payouts_are_automatic": contract.payouts_are_automatic,
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
        ending=_ending(row),
        all_deposited=row["all_deposited"],
        was_disputed=row["was_disputed"],
        updates_posted=row["updates_posted"],
        is_dormant=row["is_dormant"],
        payouts_are_automatic=row["payouts_are_automatic"],
        **parts,
    )


def _ending(row: Record | Mapping[str, Any]) -> Ending | None:
    if row["ending_by"] is None:
        return None
    return Ending(Side(row["ending_by"]), row["ending_requested_at"], row["ending_money_went_back"])


def milestone_row(contract_id: str, milestone: Milestone) -> Row:
    row: Row = {name: getattr(milestone, name) for name in MILESTONE if name != "contract_id"}
    row |= {
        "contract_id": contract_id,
        "state": milestone.state.value,
        "deliverables": list(milestone.deliverables),
        "hold": milestone.hold.value,
        "lots": [asdict(lot) for lot in milestone.lots],
    }
    return row


def milestone_of(values: Values) -> Milestone:
    """The milestone of a row's values in the order of `MILESTONE`."""
    identifier, _, revision, position, state, title, purpose, deliverables, *plain = values[:_HOLD]
    hold, *clocks = values[_HOLD:_LOTS]
    lots, *rest = values[_LOTS:]
    # Most milestones of a plan hold nothing: their JSON needs no reading.
    held = () if lots == "[]" else tuple(Lot(**lot) for lot in json.loads(lots))
    first = (identifier, revision, position, MilestoneState(state), title, purpose, tuple(deliverables))
    fields: Values = (*first, *plain, Hold(hold), *clocks, held, *rest)
    return Milestone(*fields)


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
        "is_bonus": deposit.is_bonus,
        "reversal": deposit.reversal.value if deposit.reversal else None,
        "reversed_at": deposit.reversed_at,
        "is_for_everything": deposit.is_for_everything,
        "forfeited_minor": deposit.forfeited_minor,
    }


def deposit_of(values: Values) -> Deposit:
    """The deposit of a row's values in the order of `DEPOSIT`."""
    identifier, _, order_id, revision, state, parts, _, _, returned, started_at, due_at, *later = values
    is_bonus, reversal, reversed_at, is_for_everything, forfeited_minor = later
    return Deposit(
        id=identifier,
        order_id=order_id,
        revision=revision,
        state=DepositState(state),
        parts=tuple(DepositPart(**part) for part in json.loads(parts)),
        started_at=started_at,
        due_at=due_at,
        returned=tuple(Money(**money) for money in json.loads(returned)),
        is_bonus=is_bonus,
        reversal=ReversalState(reversal) if reversal is not None else None,
        reversed_at=reversed_at,
        is_for_everything=is_for_everything,
        forfeited_minor=forfeited_minor,
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
        "attachments": files_row(submission.attachments),
        "submitted_at": submission.submitted_at,
    }


def submission_of(values: Values) -> Submission:
    """The submission of a row's values in the order of `SUBMISSION`."""
    identifier, _, milestone_id, number, message, links, attachments, submitted_at = values
    return Submission(identifier, milestone_id, number, message, tuple(links), files_of(attachments), submitted_at)


def party_of(values: Values | None) -> Party | None:
    """The account of a row's values in the order of `PARTY`, if it is there."""
    if values is None or values[0] is None:
        return None
    account_id, kind, is_operator, disabled = values
    return Party(account_id, AccountType(kind), is_operator, disabled)


def mediator_of(values: Values | None) -> Mediator | None:
    """The acting account of a row's values in the order of `MEDIATOR`, if it is a mediator."""
    return Mediator(*values) if values is not None and values[0] is not None else None


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
