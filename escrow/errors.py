"""Defines what the domain refuses: each refusal has a stable code and the values that a caller needs to act.

DomainError
├── NotFound               NOT_FOUND               it doesn't exist, or you may not see it
├── Forbidden              FORBIDDEN               you may see it, but not do this
├── ConflictOfInterest     CONFLICT_OF_INTEREST    a mediator who belongs to a party
├── VersionConflict        VERSION_CONFLICT        it moved on since the version that you named
├── InvalidState           INVALID_STATE           not in this state
├── MilestoneLocked        MILESTONE_LOCKED        only planned milestones can be edited
├── OutOfSequence          OUT_OF_SEQUENCE         not before its turn
├── SameParty              SAME_PARTY              client and freelancer share a member
├── NextNotFunded          NEXT_NOT_FUNDED         nothing that the rest could roll forward to
├── StaleChangeRequest     STALE_CHANGE_REQUEST    the plan moved on; the request no longer fits
├── InvalidInput           INVALID_INPUT           a value that no state would accept
├── InsufficientFunds      INSUFFICIENT_FUNDS      more than there is to pay out
└── IdempotencyKeyReused   IDEMPOTENCY_KEY_REUSED  the same key came with another input
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from escrow.causes import Cause


class ErrorCode(StrEnum):
    """The codes that programs branch on. They never change their meaning."""

    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CONFLICT_OF_INTEREST = "CONFLICT_OF_INTEREST"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    INVALID_STATE = "INVALID_STATE"
    MILESTONE_LOCKED = "MILESTONE_LOCKED"
    OUT_OF_SEQUENCE = "OUT_OF_SEQUENCE"
    SAME_PARTY = "SAME_PARTY"
    NEXT_NOT_FUNDED = "NEXT_NOT_FUNDED"
    STALE_CHANGE_REQUEST = "STALE_CHANGE_REQUEST"
    INVALID_INPUT = "INVALID_INPUT"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"


class DomainError(Exception):
    """A refusal. `field` is the path of the input at fault in the API's spelling; `details` are plain values.

    `cause` names the sentence, where it has a name: with the details it can be said in any language. `others` are further
    refusals of the same command, where it has many parts that can each be at fault.
    """

    code: ClassVar[ErrorCode]

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        details: Mapping[str, object] | None = None,
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.field = field
        self.details: dict[str, object] = dict(details or {})
        self.others: tuple[DomainError, ...] = ()


class NotFound(DomainError):
    code = ErrorCode.NOT_FOUND


class Forbidden(DomainError):
    code = ErrorCode.FORBIDDEN


class ConflictOfInterest(DomainError):
    code = ErrorCode.CONFLICT_OF_INTEREST


class VersionConflict(DomainError):
    code = ErrorCode.VERSION_CONFLICT


class InvalidState(DomainError):
    code = ErrorCode.INVALID_STATE


class MilestoneLocked(DomainError):
    code = ErrorCode.MILESTONE_LOCKED


class OutOfSequence(DomainError):
    code = ErrorCode.OUT_OF_SEQUENCE


class SameParty(DomainError):
    code = ErrorCode.SAME_PARTY


class NextNotFunded(DomainError):
    code = ErrorCode.NEXT_NOT_FUNDED


class StaleChangeRequest(DomainError):
    code = ErrorCode.STALE_CHANGE_REQUEST


class InvalidInput(DomainError):
    code = ErrorCode.INVALID_INPUT


class InsufficientFunds(DomainError):
    code = ErrorCode.INSUFFICIENT_FUNDS


class IdempotencyKeyReused(DomainError):
    code = ErrorCode.IDEMPOTENCY_KEY_REUSED


_QUOTED_MAX: Final = 60


def quoted(value: object) -> str:
    """What somebody gave, in quotation marks, cut so that a refusal stays one line however much was given."""
    text = str(value)
    return f"“{text if len(text) <= _QUOTED_MAX else text[:_QUOTED_MAX] + '…'}”"
