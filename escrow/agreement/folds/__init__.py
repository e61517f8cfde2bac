"""Folds events into a contract, a file for each noun; `escrow.agreement.evolve` is the door."""

from __future__ import annotations

from typing import Final

from escrow.agreement.folds import (
    bonuses,
    change_requests,
    contracts,
    costs,
    deposits,
    disputes,
    endings,
    holdings,
    milestones,
    orders,
    payouts,
    refunds,
    reversals,
    updates,
    work,
)
from escrow.agreement.folds.base import Folds

FOLDS: Final[Folds] = {
    **contracts.FOLDS,
    **costs.FOLDS,
    **milestones.FOLDS,
    **work.FOLDS,
    **holdings.FOLDS,
    **deposits.FOLDS,
    **reversals.FOLDS,
    **bonuses.FOLDS,
    **orders.FOLDS,
    **payouts.FOLDS,
    **refunds.FOLDS,
    **disputes.FOLDS,
    **change_requests.FOLDS,
    **endings.FOLDS,
    **updates.FOLDS,
}
"""The fold of each event but `contract.proposed`, which starts from nothing."""
