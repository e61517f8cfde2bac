"""Applies the deadlines that are due, then the command, then what follows from both.

A deadline is law from its due time, also if nobody swept it: an outage of ours never decides a race. The sweep is the same
step with no command behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from escrow.access import CLOCK, Actor, ActorKind
from escrow.agreement import commands, decisions
from escrow.agreement.authorisation import no_such_contract
from escrow.agreement.consequences import follow_up
from escrow.agreement.deadlines import Deadline, DeadlineKind, deadlines
from escrow.agreement.events import Recorded
from escrow.agreement.history import History
from escrow.agreement.naming import named_by, subject_id_of
from escrow.agreement.permit import first_refusal
from escrow.agreement.state import Contract, Surroundings
from escrow.errors import DomainError, ErrorCode, Forbidden, StaleChangeRequest
from escrow.ids import Fresh
from escrow.values import replace

UNTOUCHED_BY: Final = frozenset({ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN})
"""Refusals after which not even due deadlines are written: whoever may not act here changes nothing here."""


@dataclass(frozen=True, slots=True)
class Step:
    """What came of a step: the contract before and after, the events between, and why the command was refused, if it was."""

    before: Contract | None
    after: Contract | None
    recorded: tuple[Recorded, ...]
    refusal: DomainError | None = None
    clocks_before: Sequence[Deadline] | None = field(default=None, compare=False)
    """The deadlines of the contract before, if they were looked through and none was due: whoever writes needs them, too."""


def step(
    state: Contract | None, command: commands.Command, *, actor: Actor, around: Surroundings, fresh: Fresh
) -> Step:
    """Applies what is due and then `command`; a refusal is part of the answer, not an exception.

    A refused command leaves the events of due deadlines standing, unless it was `NOT_FOUND` or `FORBIDDEN`; one that finds
    a change request stale leaves that, too.
    """
    contract_id = state.id if state is not None else getattr(command, "contract_id", "")
    history = History(contract_id, state, actor, around, fresh)
    clocks = apply_due(history) if state is not None else None
    if history.recorded:
        clocks = None
    settled = history.state if state is not None else None, tuple(history.recorded)
    try:
        decide(history, command)
    except StaleChangeRequest as refusal:
        return Step(state, history.state, tuple(history.recorded), refusal, clocks)
    except DomainError as refusal:
        if refusal.code in UNTOUCHED_BY:
            return Step(state, state, (), refusal)
        return Step(state, *settled, refusal, clocks)
    return Step(state, history.state, tuple(history.recorded), clocks_before=clocks)


def advance(state: Contract, *, around: Surroundings, fresh: Fresh) -> Contract:
    """The contract as it is in law at `around.now`: with every due deadline applied. For reading; nothing is written."""
    history = History(state.id, state, CLOCK, around, fresh)
    apply_due(history)
    return history.state


def apply_due(history: History) -> Sequence[Deadline]:
    """Applies the deadlines that are due at or before now, in due order, each with its consequences; answers those that run on.

    A reminder whose deadline is due as well is left out: nobody is told of what lies ahead after the fact.
    """
    actor, around = history.actor, history.around
    clocks = deadlines(history.state)
    while (clock := next((one for one in clocks if one.is_due(around.now)), None)) is not None:
        history.actor, history.around = CLOCK, replace(around, now=clock.due_at)
        _RINGS[clock.kind](history, clock)
        follow_up(history)
        clocks = deadlines(history.state)
    history.actor, history.around = actor, around
    return clocks


_RINGS: Final[dict[DeadlineKind, Callable[[History, Deadline], None]]] = {
    DeadlineKind.OFFER: decisions.contracts.expire,
    DeadlineKind.DEPOSIT: decisions.deposits.leave_unanswered,
    DeadlineKind.REVIEW: decisions.work.leave_unanswered,
    DeadlineKind.REFUND: decisions.refunds.leave_unanswered,
    DeadlineKind.DISPUTE: decisions.disputes.leave_unanswered,
    DeadlineKind.MEDIATION: decisions.disputes.tell_overdue,
    DeadlineKind.REMINDER: decisions.work.remind,
    DeadlineKind.DORMANCY: decisions.updates.tell_of_silence,
    DeadlineKind.HOLD_NOTICE: decisions.deposits.tell_of_limit,
    DeadlineKind.HOLD_LIMIT: decisions.deposits.end_holding,
}
"""What each clock does when it rings, by the decision of its noun."""


def decide(history: History, command: commands.Command) -> None:
    """Adds the events of `command` and of what follows from it; raises the first `DomainError` of the law's order."""
    if history.before is None and not isinstance(command, commands.Propose):
        raise no_such_contract()
    if isinstance(command, commands.ApplyDeadlines):
        return
    if isinstance(command, commands.Report):
        if history.actor.kind is not ActorKind.PROVIDER:
            raise Forbidden("Only the payment provider reports what became of an order.")
    elif isinstance(command, commands.PartyCommand) and not isinstance(command, commands.Propose):
        refusal = first_refusal(
            history.state,
            command.action,
            subject_id_of(command),
            actor=history.actor,
            around=history.around,
            named=named_by(history.state, command),
        )
        if refusal:
            raise refusal
    decisions.DECISIONS[type(command)](history, command)
    follow_up(history)
