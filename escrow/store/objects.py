"""What the parties disagree about and agree on as rows of their tables, and back: the companion of `store_rows`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from escrow.access import Side
from escrow.agreement.state import (
    Attachment,
    Change,
    ChangeKind,
    ChangeRequest,
    ChangeWords,
    Dispute,
    Evidence,
    RefundRequest,
    Update,
)
from escrow.money import Money
from escrow.states import ChangeRequestState, DisputeState, RefundState

Row = dict[str, Any]
Values = tuple[Any, ...]

REFUND_REQUEST: Final = (
    "id", "contract_id", "milestone_id", "state", "amount_minor", "by_ending", "requested_at", "due_at",
    "clock_started_at", "message", "answer",
)  # fmt: skip
DISPUTE: Final = (
    "id", "contract_id", "milestone_id", "state", "opened_by", "claim_minor", "opened_at", "due_at", "clock_started_at",
    "silence_pays", "answers_refund_id", "overdue", "client_evidence", "freelancer_evidence", "client_offer_minor",
    "freelancer_offer_minor", "client_withdraws", "freelancer_withdraws", "to_freelancer_minor", "reason", "explanation",
)  # fmt: skip
EVIDENCE: Final = (
    "contract_id", "dispute_id", "side", "number", "text", "links", "attachments", "added_at",
)  # fmt: skip
CHANGE_REQUEST: Final = (
    "id", "contract_id", "filed_by", "state", "changes", "words", "message", "filed_at", "plan_version",
)  # fmt: skip
UPDATE: Final = (
    "contract_id", "number", "side", "milestone_id", "message", "links", "attachments", "posted_at",
)  # fmt: skip


def refund_row(contract_id: str, refund: RefundRequest) -> Row:
    row = {name: getattr(refund, name) for name in REFUND_REQUEST if name != "contract_id"}
    return row | {"contract_id": contract_id, "state": refund.state.value}


def refund_of(values: Values) -> RefundRequest:
    """The refund request of a row's values in the order of `REFUND_REQUEST`."""
    identifier, _, milestone_id, state, *rest = values
    return RefundRequest(identifier, milestone_id, RefundState(state), *rest)


def dispute_row(contract_id: str, dispute: Dispute) -> Row:
    row = {name: getattr(dispute, name) for name in DISPUTE if name != "contract_id"}
    return row | {"contract_id": contract_id, "state": dispute.state.value, "opened_by": dispute.opened_by.value}


def dispute_of(values: Values) -> Dispute:
    """The dispute of a row's values in the order of `DISPUTE`."""
    identifier, _, milestone_id, state, opened_by, *rest = values
    return Dispute(identifier, milestone_id, DisputeState(state), Side(opened_by), *rest)


def evidence_row(contract_id: str, evidence: Evidence) -> Row:
    return {
        "contract_id": contract_id,
        "dispute_id": evidence.dispute_id,
        "side": evidence.side.value,
        "number": evidence.number,
        "text": evidence.text,
        "links": list(evidence.links),
        "attachments": files_row(evidence.attachments),
        "added_at": evidence.added_at,
    }


def evidence_of(values: Values) -> Evidence:
    """The piece of evidence of a row's values in the order of `EVIDENCE`."""
    _, dispute_id, side, number, text, links, attachments, added_at = values
    return Evidence(dispute_id, Side(side), number, text, tuple(links), files_of(attachments), added_at)


def change_request_row(contract_id: str, request: ChangeRequest) -> Row:
    return {
        "id": request.id,
        "contract_id": contract_id,
        "filed_by": request.filed_by.value,
        "state": request.state.value,
        "changes": [_change_row(change) for change in request.changes],
        "words": [_words_row(words) for words in request.words],
        "message": request.message,
        "filed_at": request.filed_at,
        "plan_version": request.plan_version,
    }


def change_request_of(values: Values) -> ChangeRequest:
    """The change request of a row's values in the order of `CHANGE_REQUEST`."""
    identifier, _, filed_by, state, changes, words, message, filed_at, plan_version = values
    return ChangeRequest(
        id=identifier,
        filed_by=Side(filed_by),
        state=ChangeRequestState(state),
        changes=tuple(_change_of(change) for change in json.loads(changes)),
        words=tuple(_words_of(one) for one in json.loads(words)),
        message=message,
        filed_at=filed_at,
        plan_version=plan_version,
    )


def _change_row(change: Change) -> Row:
    return {
        "kind": change.kind.value,
        "milestone_id": change.milestone_id,
        "position": change.position,
        "amount": change.amount.wire() if change.amount is not None else None,
        "due_on": change.due_on.isoformat() if change.due_on is not None else None,
    }


def _change_of(row: Row) -> Change:
    return Change(
        kind=ChangeKind(row["kind"]),
        milestone_id=row["milestone_id"],
        position=row["position"],
        amount=Money.from_wire(row["amount"]) if row["amount"] is not None else None,
        due_on=date.fromisoformat(row["due_on"]) if row["due_on"] is not None else None,
    )


def _words_row(words: ChangeWords) -> Row:
    deliverables = list(words.deliverables) if words.deliverables is not None else None
    return {"title": words.title, "purpose": words.purpose, "deliverables": deliverables}


def _words_of(row: Row) -> ChangeWords:
    deliverables = tuple(row["deliverables"]) if row["deliverables"] is not None else None
    return ChangeWords(title=row["title"], purpose=row["purpose"], deliverables=deliverables)


def update_row(contract_id: str, update: Update) -> Row:
    return {
        "contract_id": contract_id,
        "number": update.number,
        "side": update.side.value,
        "milestone_id": update.milestone_id,
        "message": update.message,
        "links": list(update.links),
        "attachments": files_row(update.attachments),
        "posted_at": update.posted_at,
    }


def update_of(values: Values) -> Update:
    """The progress update of a row's values in the order of `UPDATE`."""
    _, number, side, milestone_id, message, links, attachments, posted_at = values
    return Update(number, Side(side), milestone_id, message, tuple(links), files_of(attachments), posted_at)


def files_row(files: Sequence[Attachment]) -> list[Row]:
    return [{"name": file.name, "sha256": file.sha256} for file in files]


def files_of(text: str) -> tuple[Attachment, ...]:
    """Attachments as the database gives them: as JSON."""
    return tuple(Attachment(**file) for file in json.loads(text))
