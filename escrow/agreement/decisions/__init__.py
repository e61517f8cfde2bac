"""Decides what comes of each command: the events that it causes, a file for each noun; `escrow.agreement.step` is the door."""

from __future__ import annotations

from typing import Final

from escrow.agreement.decisions import (
    change_requests,
    contracts,
    costs,
    deposits,
    disputes,
    endings,
    imports,
    milestones,
    orders,
    payouts,
    refunds,
    reversals,
    updates,
    work,
)
from escrow.agreement.history import Decisions

DECISIONS: Final[Decisions] = {
    **contracts.DECISIONS,
    **costs.DECISIONS,
    **endings.DECISIONS,
    **milestones.DECISIONS,
    **imports.DECISIONS,
    **work.DECISIONS,
    **deposits.DECISIONS,
    **reversals.DECISIONS,
    **payouts.DECISIONS,
    **orders.DECISIONS,
    **refunds.DECISIONS,
    **disputes.DECISIONS,
    **change_requests.DECISIONS,
    **updates.DECISIONS,
}
"""The decision of each command, but for the step that only applies deadlines."""
