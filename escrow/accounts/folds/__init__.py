"""Folds events into an account, a file for each noun; `escrow.accounts.evolve` is the door."""

from __future__ import annotations

from typing import Final

from escrow.accounts.folds import accounts, endpoints, fees, keys, members, payees, sessions
from escrow.accounts.folds.base import Folds

FOLDS: Final[Folds] = {
    **accounts.FOLDS,
    **members.FOLDS,
    **keys.FOLDS,
    **fees.FOLDS,
    **endpoints.FOLDS,
    **sessions.FOLDS,
    **payees.FOLDS,
}
"""The fold of each event but `account.created`, which starts from nothing."""
