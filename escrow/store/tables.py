"""The tables that a contract's objects lie in: for each its columns, its rows, and what of them changes or is a person's words.

Writing, the audit and erasure go through `PARTS`, so that a new kind of object is one more entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from escrow.agreement.state import Contract, Milestone
from escrow.store.objects import (
    CHANGE_REQUEST,
    DISPUTE,
    EVIDENCE,
    REFUND_REQUEST,
    UPDATE,
    Row,
    change_request_row,
    dispute_row,
    evidence_row,
    refund_row,
    update_row,
)
from escrow.store.rows import (
    DEPOSIT,
    MILESTONE,
    ORDER,
    SUBMISSION,
    deposit_row,
    milestone_row,
    order_row,
    submission_row,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One table of a contract's objects."""

    table: str
    columns: tuple[str, ...]
    held_by: Callable[[Contract], Mapping[str, Any]]
    """The objects that a contract as it is loaded, or folded, has of it, by a name of their own."""
    row: Callable[[Contract, Any], Row]
    updated: tuple[str, ...] = ()
    """The columns of a row that may change; none if rows are only added."""
    key: tuple[str, ...] = ("id",)
    words: tuple[str, ...] = ()
    """The columns that hold people's words, which can be erased."""

    def rows(self, contract: Contract) -> list[Row]:
        """The rows of all objects that the contract has."""
        return [self.row(contract, one) for one in self.held_by(contract).values()]


def _milestones(contract: Contract) -> Mapping[str, Milestone]:
    return {**contract.former, **{milestone.id: milestone for milestone in contract.milestones}}


def _all_but(columns: tuple[str, ...], *fixed: str) -> tuple[str, ...]:
    return tuple(name for name in columns if name not in fixed)


MILESTONES: Final = Part(
    table="milestones",
    columns=MILESTONE,
    held_by=_milestones,
    row=lambda contract, one: milestone_row(contract.id, one),
    updated=_all_but(MILESTONE, "id", "contract_id", "revision"),
    words=("title", "purpose", "deliverables"),
)
ORDERS: Final = Part(
    table="payment_orders",
    columns=ORDER,
    held_by=lambda contract: contract.orders,
    row=lambda contract, one: order_row(contract.id, one),
    updated=("state",),
    words=("payment_token",),
)

PARTS: Final = (
    MILESTONES,
    Part(
        table="deposits",
        columns=DEPOSIT,
        held_by=lambda contract: contract.deposits,
        row=deposit_row,
        updated=("state", "returned", "reversal", "reversed_at", "forfeited_minor"),
    ),
    ORDERS,
    Part(
        table="submissions",
        columns=SUBMISSION,
        held_by=lambda contract: contract.submissions,
        row=lambda contract, one: submission_row(contract.id, one),
        words=("message", "links", "attachments"),
    ),
    Part(
        table="refund_requests",
        columns=REFUND_REQUEST,
        held_by=lambda contract: contract.refunds,
        row=lambda contract, one: refund_row(contract.id, one),
        updated=("state", "due_at", "clock_started_at", "answer"),
        words=("message", "answer"),
    ),
    Part(
        table="disputes",
        columns=DISPUTE,
        held_by=lambda contract: contract.disputes,
        row=lambda contract, one: dispute_row(contract.id, one),
        updated=_all_but(
            DISPUTE, "id", "contract_id", "milestone_id", "opened_by", "claim_minor", "opened_at", "answers_refund_id", "reason"
        ),
        words=("reason", "explanation"),
    ),
    Part(
        table="evidence",
        columns=EVIDENCE,
        held_by=lambda contract: contract.evidence,
        row=lambda contract, one: evidence_row(contract.id, one),
        key=("dispute_id", "side", "number"),
        words=("text", "links", "attachments"),
    ),
    Part(
        table="change_requests",
        columns=CHANGE_REQUEST,
        held_by=lambda contract: contract.change_requests,
        row=lambda contract, one: change_request_row(contract.id, one),
        updated=("state",),
        words=("words", "message"),
    ),
    Part(
        table="updates",
        columns=UPDATE,
        held_by=lambda contract: contract.updates,
        row=lambda contract, one: update_row(contract.id, one),
        key=("contract_id", "number"),
        words=("message", "links", "attachments"),
    ),
)  # fmt: skip

_SQL_TYPES: Final = {
    "revision": "int",
    "position": "int",
    "submissions": "int",
    "number": "int",
    "reminded_hours": "int",
    "overdue": "int",
    "client_evidence": "int",
    "freelancer_evidence": "int",
    "plan_version": "int",
    "due_on": "date",
    "deliverables": "text[]",
    "links": "text[]",
    "parts": "jsonb",
    "returned": "jsonb",
    "attachments": "jsonb",
    "lots": "jsonb",
    "changes": "jsonb",
    "words": "jsonb",
    "by_ending": "boolean",
    "silence_pays": "boolean",
    "client_withdraws": "boolean",
    "freelancer_withdraws": "boolean",
    "is_bonus": "boolean",
    "is_for_everything": "boolean",
}

JSON_COLUMNS: Final = frozenset(name for name, kind in _SQL_TYPES.items() if kind == "jsonb")


def sql_type(column: str) -> str:
    """The type of a column of `PARTS` in SQL."""
    if column.endswith("_minor"):
        return "bigint"
    if column.endswith(("_at", "_until")):
        return "timestamptz"
    return _SQL_TYPES.get(column, "text")
