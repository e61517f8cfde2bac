"""Commands on API keys."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from escrow.access import Scope
from escrow.accounts.commands.base import AccountCommand
from escrow.accounts.rules import AccountAction
from escrow.accounts.tokens import Token


class CreateApiKey(AccountCommand):
    """Lets a program act for an account: as the member, else as an owner; always within the scopes.

    `contract_ids` limit it to some contracts; `expires_at` is real time.
    """

    action: ClassVar = AccountAction.CREATE_API_KEY
    about: ClassVar = "key_id"
    needs_keys: ClassVar = True
    account_id: str
    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    token: Token
    member_id: str | None = None
    contract_ids: tuple[str, ...] | None = None
    expires_at: datetime | None = None


class RevokeApiKey(AccountCommand):
    """Ends a key with its sessions, and if asked for the keys that it has made, and theirs; what has ended stays so."""

    action: ClassVar = AccountAction.REVOKE_API_KEY
    about: ClassVar = "key_id"
    needs_keys: ClassVar = True
    changes_keys: ClassVar = True
    key_id: str
    with_descendants: bool = False
