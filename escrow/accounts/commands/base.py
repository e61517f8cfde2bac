"""What every command on an account is."""

from __future__ import annotations

from typing import ClassVar

from escrow.accounts.rules import AccountAction
from escrow.values import Value


class AccountCommand(Value):
    """Something that may change one account. The table of rules has a row for its `action`."""

    action: ClassVar[AccountAction]
    about: ClassVar[str | None] = None
    """The field with the id of the member, key or endpoint that it makes or changes."""
    needs_keys: ClassVar[bool] = False
    """Whether the account's keys and sessions are read with it."""
    changes_keys: ClassVar[bool] = False
    """Whether keys of the account may open something else after it, or nothing: whoever remembers what they opened forgets it
    before the command is answered."""
    ends_sessions: ClassVar[bool] = False
    """Whether sessions of the account may end with it although no key does."""

    def result(self, account_id: str) -> dict[str, str]:
        """The ids of what it makes or names, by name; stored with an idempotency key."""
        named = {self.about: getattr(self, self.about)} if self.about is not None else {}
        return {"account_id": account_id} | named
