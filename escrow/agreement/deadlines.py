"""Lists the clocks that run on a contract, when they ring, and what silence then does: docs/law.md, section 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from escrow.access import Side
from escrow.agreement.state import Contract, Deposit, Dispute, Milestone, RefundRequest
from escrow.states import ContractState, DepositState, DisputeState, Hold, MilestoneState


class DeadlineKind(StrEnum):
    """The clocks, in the order that decides between two that ring at the same instant."""

    OFFER = "OFFER"
    DEPOSIT = "DEPOSIT"
    REVIEW = "REVIEW"
    REFUND = "REFUND"
    DISPUTE = "DISPUTE"
    MEDIATION = "MEDIATION"
    REMINDER = "REMINDER"
    DORMANCY = "DORMANCY"
    HOLD_NOTICE = "HOLD_NOTICE"
    HOLD_LIMIT = "HOLD_LIMIT"


UNSEEN: Final = frozenset({DeadlineKind.REMINDER, DeadlineKind.DORMANCY, DeadlineKind.HOLD_NOTICE})
"""What nobody waits for: it is no `nextDeadline`."""

DORMANT_AFTER: Final = timedelta(days=180)
"""How long nothing may happen while money is held and no clock runs before the operator is told."""

ACTIONS: Final = (
    "contract.expired",
    "deposit.abandoned",
    "deposit.failed",
    "bonus.failed",
    "milestone.released",
    "milestone.refunded",
    "milestone.partly_refunded",
    "milestone.settled",
    "dispute.mediation_started",
    "dispute.overdue",
    "milestone.deadline_approaching",
    "contract.dormant",
    "deposit.hold_ending",
    "milestone.unfunded",
)
"""The events that clocks are about, in the order of the clocks."""

REMINDER_HOURS: Final = (7 * 24, 2 * 24, 12)
"""How long before the end of a milestone's window it is announced; what lies at or before its start is left out."""

HOLD_NOTICE_HOURS: Final = (30 * 24, 7 * 24, 24)
"""How long before the end of the time for which the provider may hold money that is announced; what lies at or before the moment
from which on it is held, or held for another time, is left out."""

RESUMED_AT_LEAST: Final = timedelta(hours=48)
"""What a clock that stood still has left at least when it goes on."""


def resumed(due_at: datetime, *, stopped_at: datetime, at: datetime) -> datetime:
    """When a clock rings that stood still from `stopped_at` until `at` and was to ring at `due_at`."""
    return at + max(due_at - stopped_at, RESUMED_AT_LEAST)


@dataclass(frozen=True, slots=True)
class Deadline:
    """One running clock: `action` is the type of the event that will happen at `due_at`, in domain time.

    `subject_id` names the contract, the deposit or the milestone; `milestone_ids` the milestones that wait for it.
    """

    kind: DeadlineKind
    subject_id: str
    due_at: datetime
    position: int
    action: str
    in_favour_of: Side | None
    milestone_ids: tuple[str, ...] = ()
    started_at: datetime | None = None
    """When the window began, where reminders depend on it."""
    announces: Deadline | None = None
    """For a reminder: the clock that it is a reminder of."""

    @property
    def hours_left(self) -> int:
        """For a reminder: how long before the end of the window it comes."""
        if self.announces is None:
            raise ValueError(f"{self.kind} announces nothing")
        return (self.announces.due_at - self.due_at) // timedelta(hours=1)

    def is_due(self, now: datetime) -> bool:
        """Whether it is to be applied at `now`. A reminder isn't any more once the end of its window came, too."""
        return self.due_at <= now and (self.announces is None or now < self.announces.due_at)


Plan = Mapping[str, Milestone]
"""The milestones of a contract by their ids, those of former revisions, too."""

_RANK: Final = {kind: rank for rank, kind in enumerate(DeadlineKind)}


def deadlines(state: Contract) -> tuple[Deadline, ...]:
    """Every running clock of the contract in the order in which they will be applied; of reminders each milestone's next."""
    plan = {**state.former, **{milestone.id: milestone for milestone in state.milestones}}
    running = tuple(_running(state, plan))
    limits = hold_limits(state)
    clocks = (
        *running,
        *_reminders(state, plan, running),
        *(() if running else _dormancy(state)),
        *limits,
        *_notices(state, limits),
    )
    return tuple(sorted(clocks, key=lambda clock: (clock.due_at, _RANK[clock.kind], clock.position)))


def next_deadline(state: Contract, milestone_id: str | None = None) -> Deadline | None:
    """The first clock that will ring, of the whole contract or of what one milestone waits for, but for those in `UNSEEN`."""
    return first_clocks(state.id, deadlines(state)).get(milestone_id or state.id)


def first_clocks(contract_id: str, clocks: Iterable[Deadline]) -> dict[str, Deadline]:
    """The first clock of a contract that will ring, and of each milestone that waits for one, by identifier, but for those in
    `UNSEEN`; the clocks come in their order."""
    found: dict[str, Deadline] = {}
    for clock in clocks:
        if clock.kind not in UNSEEN:
            for identifier in (contract_id, *clock.milestone_ids):
                found.setdefault(identifier, clock)
    return found


def _running(state: Contract, plan: Plan) -> Iterator[Deadline]:
    if state.state is ContractState.PROPOSED:
        due_at = state.offered_at + timedelta(hours=state.windows.offer_hours)
        yield Deadline(DeadlineKind.OFFER, state.id, due_at, 0, "contract.expired", None)
    for deposit in state.deposits.values():
        if deposit.state is DepositState.STARTED:
            yield _of_deposit(plan, deposit)
    for milestone in state.milestones:
        if milestone.is_held and not milestone.is_frozen:
            clock = _of_milestone(state, milestone)
            if clock is not None:
                yield clock


def _of_deposit(plan: Plan, deposit: Deposit) -> Deadline:
    waiting = tuple(part.milestone_id for part in deposit.parts)
    positions = [one.position for one in map(plan.get, waiting) if one is not None]
    return Deadline(
        DeadlineKind.DEPOSIT,
        deposit.id,
        deposit.due_at,
        min(positions),
        _silence_on(deposit),
        None,
        waiting,
        None if deposit.is_bonus else deposit.clock_started_at or deposit.started_at,
    )


def _silence_on(deposit: Deposit) -> str:
    if deposit.is_bonus:
        return "bonus.failed"
    return "deposit.failed" if deposit.action is not None else "deposit.abandoned"


def _of_milestone(state: Contract, milestone: Milestone) -> Deadline | None:
    """The one clock that runs on what a milestone holds: of its hold, or else of its review."""
    if (refund := state.open_refund(milestone)) is not None:
        return _of_refund(milestone, refund)
    if (dispute := state.open_dispute(milestone)) is not None:
        return _of_dispute(milestone, dispute)
    if milestone.state is not MilestoneState.SUBMITTED or milestone.review_due_at is None:
        return None
    submitted_at = milestone.review_due_at - timedelta(hours=state.windows.review_hours)
    return Deadline(
        DeadlineKind.REVIEW,
        milestone.id,
        milestone.review_due_at,
        milestone.position,
        "milestone.released",
        Side.FREELANCER,
        (milestone.id,),
        milestone.review_resumed_at or submitted_at,
    )


def _of_refund(milestone: Milestone, refund: RefundRequest) -> Deadline:
    in_full = refund.amount_minor == milestone.held_minor
    return Deadline(
        DeadlineKind.REFUND,
        refund.id,
        refund.due_at,
        milestone.position,
        "milestone.refunded" if in_full else "milestone.partly_refunded",
        Side.CLIENT,
        (milestone.id,),
        refund.clock_started_at,
    )


def _of_dispute(milestone: Milestone, dispute: Dispute) -> Deadline:
    in_mediation = dispute.state is DisputeState.MEDIATION
    if in_mediation:
        action = "dispute.overdue"
    else:
        action = _outcome(milestone, dispute.claim_minor) if dispute.silence_pays else "dispute.mediation_started"
    return Deadline(
        DeadlineKind.MEDIATION if in_mediation else DeadlineKind.DISPUTE,
        dispute.id,
        dispute.due_at,
        milestone.position,
        action,
        dispute.opened_by if dispute.silence_pays and not in_mediation else None,
        (milestone.id,),
        # The days after the first notice are no window: it is the same silence, told again.
        dispute.clock_started_at if dispute.overdue == 0 else None,
    )


def _outcome(milestone: Milestone, to_freelancer_minor: int) -> str:
    """The event that sends that much of what is held to the freelancer and the rest to the client."""
    if to_freelancer_minor == milestone.held_minor:
        return "milestone.released"
    return "milestone.settled" if to_freelancer_minor else "milestone.refunded"


def limit_runs(state: Contract, milestone: Milestone) -> bool:
    """Whether something happens when what the milestone holds may be held no longer: nothing does while a reversal freezes it,
    or once a mediator has to decide."""
    if milestone.hold_until is None or milestone.is_frozen:
        return False
    dispute = state.open_dispute(milestone)
    return dispute is None or dispute.state is not DisputeState.MEDIATION


def hold_limits(state: Contract) -> list[Deadline]:
    """The clocks of what may be held only so long, in the order of the plan: where somebody was asked about the money it goes to
    mediation, else back to the client."""
    if all(milestone.hold_until is None for milestone in state.milestones):
        return []
    limits: list[Deadline] = []
    others: set[datetime | None] = set()
    """When the open milestones behind give their money back; `None` for those that don't by such a clock."""
    for milestone in reversed(state.milestones):
        runs = limit_runs(state, milestone)
        goes_back = runs and not _was_asked(milestone)
        if runs:
            # Nothing may be planned before what is not: what is behind has to be planned again as well.
            is_last = state.state is ContractState.PROPOSED or others <= {milestone.hold_until}
            limits.append(_of_limit(milestone, is_last=is_last, goes_back=goes_back))
        if not milestone.is_closed and milestone.state is not MilestoneState.PLANNED:
            others.add(milestone.hold_until if goes_back else None)
    return limits[::-1]


def _was_asked(milestone: Milestone) -> bool:
    """Whether the other side has something before it to which its answer moves the money: work, a request, a claim."""
    return milestone.hold is not Hold.NONE or milestone.submissions > 0


def _of_limit(milestone: Milestone, *, is_last: bool, goes_back: bool) -> Deadline:
    if milestone.hold_until is None:
        raise ValueError(f"what {milestone.id} holds may be held for ever")
    action = "dispute.mediation_started"
    if goes_back:
        action = "milestone.unfunded" if is_last else "milestone.refunded"
    favoured = Side.CLIENT if goes_back else None
    kind, names = DeadlineKind.HOLD_LIMIT, (milestone.id,)
    return Deadline(kind, milestone.id, milestone.hold_until, milestone.position, action, favoured, names)


def told_before(hold_until: datetime, at: datetime) -> int | None:
    """How many hours before the end of a limit that is known from `at` on it would have been announced last before then."""
    return min((hours for hours in HOLD_NOTICE_HOURS if hold_until - timedelta(hours=hours) <= at), default=None)


def _notices(state: Contract, limits: Iterable[Deadline]) -> Iterator[Deadline]:
    """The next announcement of each limit's end, if one still lies ahead of what the log has seen."""
    told = {milestone.id: milestone.hold_told_hours for milestone in state.milestones}
    for clock in limits:
        before = told[clock.subject_id]
        for hours in HOLD_NOTICE_HOURS:
            due_at = clock.due_at - timedelta(hours=hours)
            if (before is None or hours < before) and state.updated_at <= due_at:
                yield Deadline(
                    kind=DeadlineKind.HOLD_NOTICE,
                    subject_id=clock.subject_id,
                    due_at=due_at,
                    position=clock.position,
                    action="deposit.hold_ending",
                    in_favour_of=clock.in_favour_of,
                    milestone_ids=clock.milestone_ids,
                    announces=clock,
                )
                break


def _dormancy(state: Contract) -> Iterator[Deadline]:
    if state.state in (ContractState.PROPOSED, ContractState.ACTIVE) and state.holds_money and not state.is_dormant:
        due_at = state.updated_at + DORMANT_AFTER
        yield Deadline(DeadlineKind.DORMANCY, state.id, due_at, 0, "contract.dormant", None)


def _reminders(state: Contract, plan: Plan, running: Iterable[Deadline]) -> Iterator[Deadline]:
    """The next announcement of each milestone's clock, if one still lies ahead of what the log has seen."""
    for clock in running:
        for milestone_id in clock.milestone_ids:
            milestone = plan.get(milestone_id)
            if milestone is not None and clock.started_at is not None:
                hours = _next_announcement(milestone, clock, clock.started_at, state.updated_at)
                if hours is not None:
                    yield Deadline(
                        kind=DeadlineKind.REMINDER,
                        subject_id=milestone.id,
                        due_at=clock.due_at - timedelta(hours=hours),
                        position=milestone.position,
                        action="milestone.deadline_approaching",
                        in_favour_of=clock.in_favour_of,
                        milestone_ids=(milestone.id,),
                        announces=clock,
                    )


def _next_announcement(
    milestone: Milestone, clock: Deadline, started_at: datetime, last_event_at: datetime
) -> int | None:
    """How many hours before its end the clock is announced next. A log never goes back, not even for a reminder."""
    for hours in REMINDER_HOURS:
        due_at = clock.due_at - timedelta(hours=hours)
        given = milestone.reminded_hours is not None and hours >= milestone.reminded_hours
        if not given and started_at < due_at and last_event_at <= due_at:
            return hours
    return None
