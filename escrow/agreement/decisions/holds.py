"""Holds what refund requests and disputes share: amounts that may be asked for, when a stopped clock goes on, the 48-hour bar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from escrow.agreement.deadlines import resumed
from escrow.agreement.state import Contract, Milestone
from escrow.causes import Cause
from escrow.errors import InvalidInput
from escrow.money import RawMoney, exact
from escrow.states import MilestoneState

BAR: Final = timedelta(hours=48)
"""How long a side may start no other hold on a milestone, once one that it started ended with money still held."""


def review_goes_on(milestone: Milestone, at: datetime) -> datetime | None:
    """When the review window ends if the milestone's hold ends `at` some time; `None` if none runs on.

    A reversal goes on freezing it.
    """
    if milestone.review_due_at is None or milestone.review_frozen_at is None or milestone.is_frozen:
        return None
    return resumed(milestone.review_due_at, stopped_at=milestone.review_frozen_at, at=at)


def review_would_end(milestone: Milestone, at: datetime) -> datetime | None:
    """When the review window of submitted work would end if nothing froze it from now on; `None` without one."""
    if milestone.state is not MilestoneState.SUBMITTED or milestone.review_due_at is None:
        return None
    return at + (milestone.review_due_at - (milestone.review_frozen_at or at))


def share(raw: RawMoney, state: Contract, milestone: Milestone, *, field: str) -> int:
    """How much of what a milestone holds `raw` names, nothing and everything included, in minor units."""
    minor = exact(raw, currency=state.currency, field=field, or_nothing=True).minor
    return _checked(minor, state, milestone, field)


def part(raw: RawMoney | None, state: Contract, milestone: Milestone, *, field: str) -> int:
    """How much of what a milestone holds `raw` names, more than nothing; everything without one. In minor units."""
    if raw is None:
        return milestone.held_minor
    return _checked(exact(raw, currency=state.currency, field=field).minor, state, milestone, field)


def _checked(minor: int, state: Contract, milestone: Milestone, field: str) -> int:
    if minor > milestone.held_minor:
        held = state.money(milestone.held_minor)
        raise InvalidInput(
            f"The milestone holds {held}; {state.money(minor)} is more.",
            field=f"{field}.amount",
            details={"held": held.wire()},
            cause=Cause.MORE_THAN_HELD,
        )
    return minor
