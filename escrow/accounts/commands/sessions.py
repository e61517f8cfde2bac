"""Commands on sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from escrow.access import Scope
from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction
from escrow.accounts.tokens import Token


class CreateSession(AccountCommand):
    """Lets a browser act for an account for a while: as the member, else as an owner; within what its maker may do.

    `contract_ids` of `None` are all that the maker reaches. `token` is that of the session or, if the session `is_link`, the
    code that opens it once.
    """

    action: ClassVar = AccountAction.CREATE_SESSION
    about: ClassVar = "session_id"
    needs_keys: ClassVar = True
    session_id: str
    account_id: str | None
    member_id: str | None
    scopes: tuple[Scope, ...]
    token: Token
    contract_ids: tuple[str, ...] | None = None
    origins: tuple[str, ...] = ()
    lifetime: timedelta = timedelta(hours=1)
    is_link: bool = False


class OpenSession(AccountCommand):
    """Makes a session of a link, once. Whoever shows the code acts as the session itself."""

    action: ClassVar = AccountAction.OPEN_SESSION
    about: ClassVar = "session_id"
    needs_keys: ClassVar = True
    session_id: str
    token: Token


class RevokeSession(AccountCommand):
    """Ends a session, or a link that waits; what has ended already stays so."""

    action: ClassVar = AccountAction.REVOKE_SESSION
    about: ClassVar = "session_id"
    needs_keys: ClassVar = True
    changes_keys: ClassVar = True
    session_id: str
    for_its_maker: bool = False
    """Whether it ends because the key that made it has ended, in another account."""
