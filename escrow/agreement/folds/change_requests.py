"""Folds events about change requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from escrow.agreement import events
from escrow.agreement.folds.base import Folds
from escrow.agreement.state import ChangeRequest, Contract
from escrow.states import ChangeRequestState
from escrow.values import replace


def _filed(state: Contract, event: events.ChangeRequestFiled, at: datetime) -> Contract:
    request = ChangeRequest(
        id=event.change_request_id,
        filed_by=event.filed_by,
        state=ChangeRequestState.OPEN,
        changes=event.changes,
        words=event.words or (),
        message=event.message,
        filed_at=at,
        plan_version=event.plan_version,
    )
    return replace(state, change_requests={**state.change_requests, request.id: request})


def _request_becomes(to: ChangeRequestState) -> Callable[[Contract, Any, datetime], Contract]:
    def fold(state: Contract, event: Any, at: datetime) -> Contract:
        request = replace(state.change_requests[event.change_request_id], state=to)
        return replace(state, change_requests={**state.change_requests, request.id: request})

    return fold


FOLDS: Final[Folds] = {
    events.ChangeRequestFiled: _filed,
    events.ChangeRequestAccepted: _request_becomes(ChangeRequestState.ACCEPTED),
    events.ChangeRequestDeclined: _request_becomes(ChangeRequestState.DECLINED),
    events.ChangeRequestWithdrawn: _request_becomes(ChangeRequestState.WITHDRAWN),
    events.ChangeRequestStale: _request_becomes(ChangeRequestState.STALE),
}
