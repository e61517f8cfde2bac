"""What can go wrong, as types: refusals that a person or a program can act on, faults of a request, and nobody there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final


class EarnestError(Exception):
    """Anything that this package raises by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserError:
    """One thing that was wrong: `field` is the place in the input, `documentation` where the code is explained."""

    code: str
    message: str
    field: str | None = None
    details: Any = None
    documentation: str = ""


class Refused(EarnestError):
    """The service said no, and nothing was changed. Each code has a class of its own, by which it can be caught.

    `payload` is what came beside the errors: after a `VersionConflict` the contract as it is now.
    """

    code: ClassVar[str] = ""

    def __init__(self, errors: Sequence[UserError], payload: Mapping[str, Any]) -> None:
        super().__init__("; ".join(f"{error.code}: {error.message}" for error in errors))
        self.errors = tuple(errors)
        self.payload = payload

    @property
    def first(self) -> UserError:
        """The first of the errors, which gave this its class."""
        return self.errors[0]


class NotFound(Refused):
    """It doesn't exist, or may not be seen."""

    code = "NOT_FOUND"


class Forbidden(Refused):
    """It is somebody else's to do, or beyond the role or the key's scopes."""

    code = "FORBIDDEN"


class ConflictOfInterest(Refused):
    """A mediator shares a member with a party."""

    code = "CONFLICT_OF_INTEREST"


class VersionConflict(Refused):
    """What was named has moved on: look at it as it is now, and decide again."""

    code = "VERSION_CONFLICT"


class InvalidState(Refused):
    """It can't be done in the present state."""

    code = "INVALID_STATE"


class MilestoneLocked(Refused):
    """The milestone holds money, or is closed: it can't be edited any more."""

    code = "MILESTONE_LOCKED"


class OutOfSequence(Refused):
    """Another milestone comes first."""

    code = "OUT_OF_SEQUENCE"


class SameParty(Refused):
    """Client and freelancer share somebody."""

    code = "SAME_PARTY"


class NextNotFunded(Refused):
    """There is no next milestone that what is left over could roll forward to."""

    code = "NEXT_NOT_FUNDED"


class StaleChangeRequest(Refused):
    """The plan moved on, and the change request no longer fits."""

    code = "STALE_CHANGE_REQUEST"


class InvalidInput(Refused):
    """A value can't be: `field` says which."""

    code = "INVALID_INPUT"


class InsufficientFunds(Refused):
    """There is less than was asked for."""

    code = "INSUFFICIENT_FUNDS"


class IdempotencyKeyReused(Refused):
    """The key stands for another input."""

    code = "IDEMPOTENCY_KEY_REUSED"


REFUSALS: Final[Mapping[str, type[Refused]]] = {kind.code: kind for kind in Refused.__subclasses__()}
"""The class of each code that this release knows; another code is a plain `Refused`."""


def refused(errors: Sequence[Mapping[str, Any]], payload: Mapping[str, Any]) -> Refused:
    """The refusal that these `userErrors` stand for; there is at least one."""
    told = [_user_error(error) for error in errors]
    return REFUSALS.get(told[0].code, Refused)(told, payload)


def _user_error(error: Mapping[str, Any]) -> UserError:
    return UserError(
        code=error["code"],
        message=error["message"],
        field=error.get("field"),
        details=error.get("details"),
        documentation=error.get("documentation", ""),
    )


class OperationFailed(EarnestError):
    """A request as a whole was at fault, or we were: `code` as in `extensions.code`; `trace_id` finds it in our log."""

    def __init__(self, code: str, message: str, extensions: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.extensions = dict(extensions or {})

    @property
    def trace_id(self) -> str | None:
        """What to quote when asking about an `INTERNAL` error."""
        found = self.extensions.get("traceId")
        return found if isinstance(found, str) else None


class Unauthenticated(OperationFailed):
    """The key names nobody: it is wrong, was revoked or has expired. Asking again changes nothing."""


class RateLimited(OperationFailed):
    """Too much was asked, for longer than `patience_seconds`."""


class Unreachable(EarnestError):
    """Nobody answered for longer than `patience_seconds`. What was asked may have been done: repeat it with its key."""


class UnsafeToRepeat(Unreachable):
    """The connection broke under a mutation without `@idempotent`: whether it was done is not known."""


def failed(code: str, message: str, extensions: Mapping[str, Any] | None = None) -> OperationFailed:
    """A top-level error as its class."""
    kinds = {"UNAUTHENTICATED": Unauthenticated, "RATE_LIMITED": RateLimited}
    return kinds.get(code, OperationFailed)(code, message, extensions)
