"""Decides what comes of each command on an account, a file for each noun; `escrow.accounts.decide` is the door."""

from __future__ import annotations

from typing import Final

from escrow.accounts.decisions import accounts, endpoints, fees, keys, members, payees, sessions
from escrow.accounts.decisions.base import Decisions

DECISIONS: Final[Decisions] = {
    **accounts.DECISIONS,
    **members.DECISIONS,
    **keys.DECISIONS,
    **fees.DECISIONS,
    **endpoints.DECISIONS,
    **sessions.DECISIONS,
    **payees.DECISIONS,
}
