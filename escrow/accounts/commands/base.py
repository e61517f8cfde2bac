"""What every command on an account is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from escrow.accounts.rules import AccountAction


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCommand:
    """Something that may change one account. The table of rules has a row for its `action`."""

    action: ClassVar[AccountAction]
