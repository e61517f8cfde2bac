"""Facts about change requests."""

from __future__ import annotations

from typing import Annotated, ClassVar

from escrow.access import Side
from escrow.agreement.events.base import FREE_TEXT, Event, OptionalText, Text
from escrow.agreement.state import ChangeWords, PlanChange
from escrow.errors import ErrorCode


class ChangeRequestFiled(Event):
    """A side asked the other to accept changes of the plan; their words stand in `words`, in the same order."""

    type: ClassVar = "change_request.filed"
    change_request_id: str
    filed_by: Side
    plan_version: int
    changes: tuple[PlanChange, ...]
    words: Annotated[tuple[ChangeWords, ...], FREE_TEXT]
    message: Text


class ChangeRequestAccepted(Event):
    """All of its changes apply; each follows as an event of its own."""

    type: ClassVar = "change_request.accepted"
    change_request_id: str
    message: OptionalText = None


class ChangeRequestDeclined(Event):
    """The plan stays as it is."""

    type: ClassVar = "change_request.declined"
    change_request_id: str
    message: OptionalText = None


class ChangeRequestWithdrawn(Event):
    """Whoever filed it took it back."""

    type: ClassVar = "change_request.withdrawn"
    change_request_id: str
    message: OptionalText = None


class ChangeRequestStale(Event):
    """The plan moved on: operation `change_number` (from 1) no longer fits, for the reason that `code` names; or the
    contract is not active any more, and no operation is named."""

    type: ClassVar = "change_request.stale"
    change_request_id: str
    change_number: int | None = None
    code: ErrorCode | None = None
