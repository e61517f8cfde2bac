"""A change request: operations on the plan that one side asks the other to accept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from escrow.access import Side
from escrow.money import Money
from escrow.states import ChangeRequestState

CHANGES_MAX: Final = 50
"""The most operations of one change request: bounds what its event holds."""


class ChangeKind(StrEnum):
    """What one operation of a change request does."""

    ADD = "ADD"
    EDIT = "EDIT"
    REMOVE = "REMOVE"
    MOVE = "MOVE"
    AMEND = "AMEND"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """One operation of a change request, without its words. What is absent stays as it is."""

    kind: ChangeKind
    milestone_id: str
    """The milestone that it is about; for `ADD` the one that it would make."""
    position: int | None = None
    amount: Money | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWords:
    """The words of one operation, beside it; what is absent stays as it is."""

    title: str | None = None
    purpose: str | None = None
    deliverables: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """An ordered list of operations on the plan that one side asks the other to accept, all or none."""

    id: str
    filed_by: Side
    state: ChangeRequestState
    changes: tuple[PlanChange, ...]
    words: tuple[ChangeWords, ...]
    """As many as there are changes, in their order; none once they were erased."""
    message: str
    filed_at: datetime
    plan_version: int
    """The plan's version that it was written for."""
