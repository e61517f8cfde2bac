"""An account: a party, a mediator or the operator, with what belongs to it; and what a decision asks about the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from escrow.access import AccountType
from escrow.accounts.state.endpoints import Endpoint
from escrow.accounts.state.keys import Key
from escrow.accounts.state.members import Member
from escrow.accounts.state.payees import Payee
from escrow.accounts.state.sessions import Session
from escrow.agreement.state import Fees

NO_FEES: Final = Fees()
"""What a deployment takes until its operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Account:
    """A whole account, as far as decisions need it.

    `members`, `keys`, `sessions` and `endpoints` hold at least the present ones (a store adds one that is gone if a command
    names it), as far as the command needs them.
    `fees` are the deployment's, and mean something on the operator's account only.
    """

    id: str
    name: str
    type: AccountType
    is_operator: bool
    created_at: datetime
    is_mediator: bool = False
    disabled_at: datetime | None = None
    points_per_second: int | None = None
    """What each of its keys may use of the service, if the operator said so."""
    members: Mapping[str, Member] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    fees: Fees = NO_FEES
    payee: Payee | None = None
    """How the payment provider knows it, once that was asked for."""

    @property
    def present_members(self) -> tuple[Member, ...]:
        return tuple(member for member in self.members.values() if member.removed_at is None)

    @property
    def valid_keys(self) -> tuple[Key, ...]:
        """The keys that were not revoked; some may have expired."""
        return tuple(key for key in self.keys.values() if key.revoked_at is None)

    def descendants_of(self, key_id: str) -> tuple[Key, ...]:
        """The keys that a key has made, those that they have made, and so on; the oldest first."""
        line, found = {key_id}, []
        for key in sorted(self.keys.values(), key=lambda one: (one.created_at, one.id)):
            if key.created_by in line and key.id not in line:
                line.add(key.id)
                found.append(key)
        return tuple(found)

    @property
    def present_endpoints(self) -> tuple[Endpoint, ...]:
        return tuple(endpoint for endpoint in self.endpoints.values() if endpoint.deleted_at is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSurroundings:
    """What a decision needs to know of the world, in the same snapshot as the account: no more than this."""

    now: datetime
    """Domain time, as for contracts: events happen at it."""
    real_now: datetime
    """The database's clock without the test clock's offset: keys expire by it."""
    is_visible: bool = True
    """Whether the actor and the account are the parties of a contract that the actor sees."""
    operator_exists: bool = True
    shared_with: str | None = None
    """The other party of an open contract of this account that the person to be added is a member of."""
    are_credentials_over: bool = False
    """Whether the actor's own key or session was ended, or the member removed, by a command that came before this one."""
    reachable_contract_ids: frozenset[str] = frozenset()
    """Those of the contracts which a command names that exist and are the account's (any, for the operator's)."""
