"""What a fold of an account is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from escrow.accounts.state import Account
from escrow.agreement.events import Event

Folds = Mapping[type[Event], Callable[[Account, Any, datetime], Account]]
"""The account after an event of one type that happened at a time."""
