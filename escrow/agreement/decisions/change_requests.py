"""Decides on change requests: an ordered list of changes of the plan that the other side accepts as a whole or not at all.

The freelancer asks for anything that the client may do to the plan itself; either side asks to *amend* what holds money. A
request fits when it is filed. One that doesn't fit any more when it is accepted becomes stale: that is written, although the
acceptance is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from escrow.access import CLOCK, Side
from escrow.agreement import commands, events, inputs
from escrow.agreement.decisions import plan_changes
from escrow.agreement.history import Decisions, History
from escrow.agreement.state import CHANGES_MAX, ChangeRequest, Contract, Milestone, Surroundings
from escrow.causes import Cause
from escrow.errors import DomainError, ErrorCode, InvalidInput, StaleChangeRequest

OPEN_REQUESTS_MAX: Final = 20
"""The most open change requests of one side: bounds what leaving `ACTIVE` writes."""

_RANKS: Final = (
    ErrorCode.NOT_FOUND,
    ErrorCode.INVALID_STATE,
    ErrorCode.MILESTONE_LOCKED,
    ErrorCode.INVALID_INPUT,
    ErrorCode.OUT_OF_SEQUENCE,
)
"""The law's order of what may be wrong with an operation."""


_SPELLED: Final = {
    commands.AddChange: "add",
    commands.EditChange: "edit",
    commands.RemoveChange: "remove",
    commands.MoveChange: "move",
    commands.AmendChange: "amend",
}
"""Where each kind of operation stands in the API's input."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a change request doesn't fit the plan: the operation, counted from 0, and what refuses it."""

    operation: int
    refusal: DomainError


@dataclass(frozen=True, slots=True)
class Comparison:
    """The plan as it is and as it would be, or what keeps the request from being carried out."""

    before: tuple[Milestone, ...]
    after: tuple[Milestone, ...] | None
    misfit: Misfit | None


def file_change_request(history: History, command: commands.FileChangeRequest) -> None:
    """`change_request.filed`; refuses with the first refusal in the law's order over all operations."""
    state = history.state
    side = history.side
    wrong = sorted(
        _wrong(history, command, side),
        key=lambda misfit: (_RANKS.index(misfit.refusal.code), misfit.operation),
    )
    if wrong:
        raise wrong[0].refusal
    kept = [plan_changes.kept(change, currency=state.currency) for change in command.changes]
    event = events.ChangeRequestFiled(
        change_request_id=command.change_request_id,
        filed_by=side,
        plan_version=state.plan_version,
        changes=tuple(change for change, _ in kept),
        words=tuple(words for _, words in kept),
        message=command.message,
    )
    history.add(event)


def _wrong(history: History, command: commands.FileChangeRequest, side: Side) -> Iterator[Misfit]:
    """All that is wrong with a request: of its operations, and of the request as a whole."""
    yield from _misfits(history, command.changes)
    for operation, change in enumerate(command.changes):
        if side is Side.CLIENT and not isinstance(change, commands.AmendChange):
            refusal = InvalidInput(
                "The client changes planned milestones directly; ask only to amend one that holds money.",
                field=f"changes.{operation}",
                cause=Cause.NOT_BY_REQUEST,
            )
            yield Misfit(operation, refusal)
    try:
        _check_request(history.state, command, side)
    except InvalidInput as refusal:
        yield Misfit(len(command.changes), refusal)


def _check_request(state: Contract, command: commands.FileChangeRequest, side: Side) -> None:
    inputs.text(command.message, field="message", characters_max=inputs.MESSAGE_MAX)
    if not 1 <= len(command.changes) <= CHANGES_MAX:
        raise InvalidInput(
            f"A change request has 1 to {CHANGES_MAX} changes, not {len(command.changes)}.",
            field="changes",
            details={"most": CHANGES_MAX, "given": len(command.changes)},
            cause=Cause.TOO_MANY if command.changes else Cause.NOTHING_GIVEN,
        )
    if sum(request.filed_by is side for request in state.open_change_requests) >= OPEN_REQUESTS_MAX:
        raise InvalidInput(
            f"You have {OPEN_REQUESTS_MAX} open change requests; withdraw one first.",
            details={"most": OPEN_REQUESTS_MAX},
            cause=Cause.NO_MORE,
        )


def accept_change_request(history: History, command: commands.AcceptChangeRequest) -> None:
    """`change_request.accepted` and the events of all its operations.

    If one of them doesn't fit any more, `change_request.stale` is written and `StaleChangeRequest` refuses.
    """
    request = history.state.change_requests[command.change_request_id]
    message = inputs.message(command.message)
    changes = plan_changes.asked(request)
    misfit = next(_misfits(history, changes), None)
    if misfit is not None:
        raise _stale(history, request, misfit)
    history.add(events.ChangeRequestAccepted(change_request_id=request.id, message=message))
    for change in changes:
        plan_changes.carry_out(history, change)


def _stale(history: History, request: ChangeRequest, misfit: Misfit) -> StaleChangeRequest:
    refusal = misfit.refusal
    event = events.ChangeRequestStale(
        change_request_id=request.id, change_number=misfit.operation + 1, code=refusal.code
    )
    history.add(event)
    return StaleChangeRequest(
        f"The plan moved on: change {misfit.operation + 1} no longer fits. {refusal.message}",
        field="changeRequestId",
        details={
            "changeRequestId": request.id,
            "changeNumber": misfit.operation + 1,
            "code": refusal.code.value,
            "reason": refusal.message,
        },
    )


def decline_change_request(history: History, command: commands.DeclineChangeRequest) -> None:
    """`change_request.declined`: the plan stays as it is."""
    event = events.ChangeRequestDeclined(
        change_request_id=command.change_request_id, message=inputs.message(command.message)
    )
    history.add(event)


def withdraw_change_request(history: History, command: commands.WithdrawChangeRequest) -> None:
    """`change_request.withdrawn`, by the side that filed it."""
    event = events.ChangeRequestWithdrawn(
        change_request_id=command.change_request_id, message=inputs.message(command.message)
    )
    history.add(event)


def close_all(history: History) -> None:
    """`change_request.stale` for every open one: the contract is active no more."""
    for request in history.state.open_change_requests:
        history.add(events.ChangeRequestStale(change_request_id=request.id, code=ErrorCode.INVALID_STATE))


def compare(state: Contract, request: ChangeRequest, *, around: Surroundings) -> Comparison:
    """The plan before and after, for whoever has to answer the request; nothing is changed."""
    trial = History(state.id, state, CLOCK, around, _nothing_new)
    for operation, change in enumerate(plan_changes.asked(request)):
        if (misfit := _try(trial, operation, change)) is not None:
            return Comparison(state.milestones, None, misfit)
    return Comparison(state.milestones, trial.state.milestones, None)


def _nothing_new(kind: object) -> str:
    raise ValueError(f"an operation on a plan makes no {kind}")


def _misfits(history: History, changes: Sequence[commands.RequestedChange]) -> Iterator[Misfit]:
    """Each operation that doesn't fit after the ones before it that do, tried on a copy."""
    trial = history.trial()
    for operation, change in enumerate(changes):
        if (misfit := _try(trial, operation, change)) is not None:
            yield misfit


def _try(trial: History, operation: int, change: commands.RequestedChange) -> Misfit | None:
    try:
        plan_changes.carry_out(trial, change)
    except DomainError as refusal:
        place = f"changes.{operation}.{_SPELLED[type(change)]}"
        field = place if refusal.field is None else f"{place}.{refusal.field}"
        return Misfit(
            operation, type(refusal)(refusal.message, field=field, details=refusal.details, cause=refusal.cause)
        )
    return None


DECISIONS: Final[Decisions] = {
    commands.FileChangeRequest: file_change_request,
    commands.AcceptChangeRequest: accept_change_request,
    commands.DeclineChangeRequest: decline_change_request,
    commands.WithdrawChangeRequest: withdraw_change_request,
}
