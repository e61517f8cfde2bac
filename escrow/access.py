"""Says who acts and who may see: actors, sides, roles and scopes. Who may do what stands in `escrow.rules`.

Seeing comes first: what an actor may not see is *not found* for it; what it may see but not do is *forbidden*.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class AccountType(StrEnum):
    """What kind of party an account is."""

    INDIVIDUAL = "INDIVIDUAL"
    COMPANY = "COMPANY"
    AGENCY = "AGENCY"


class Role(StrEnum):
    """What a member may do for an account; each role includes the ones before it."""

    VIEWER = "VIEWER"
    MEMBER = "MEMBER"
    MANAGER = "MANAGER"
    OWNER = "OWNER"

    def includes(self, other: Role) -> bool:
        return _RANKS[self] >= _RANKS[other]


_RANKS: Final = {role: rank for rank, role in enumerate(Role)}


class Scope(StrEnum):
    """What an API key was made for.

    It has two spellings: `contracts:read`, as tokens and the command line have it, and `CONTRACTS_READ`, as GraphQL does. Both
    are taken everywhere, and whoever is refused is shown both.
    """

    CONTRACTS_READ = "contracts:read"
    CONTRACTS_WRITE = "contracts:write"
    MONEY_WRITE = "money:write"
    WEBHOOKS_MANAGE = "webhooks:manage"
    DISPUTES_DECIDE = "disputes:decide"
    OPERATOR = "operator"

    @classmethod
    def _missing_(cls, value: object) -> Scope | None:
        """The scope that GraphQL calls so."""
        return cls.__members__.get(value) if isinstance(value, str) else None

    @classmethod
    def spellings(cls) -> dict[str, Scope]:
        """The scopes by all that they are called."""
        return {spelling: scope for scope in cls for spelling in (scope.value, scope.name)}

    @property
    def spelt(self) -> str:
        """Both spellings, for people."""
        return f"{self.value} ({self.name})"


class Side(StrEnum):
    """The two parties of a contract."""

    CLIENT = "CLIENT"
    FREELANCER = "FREELANCER"

    @property
    def other(self) -> Side:
        return Side.FREELANCER if self is Side.CLIENT else Side.CLIENT


class ActorKind(StrEnum):
    """Who caused an event."""

    ACCOUNT = "ACCOUNT"
    OPERATOR = "OPERATOR"
    PROVIDER = "PROVIDER"
    CLOCK = "CLOCK"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who acts: an account through a key (or a member's key) or a session, the operator, the payment provider, the
    clock, or the service itself."""

    kind: ActorKind
    account_id: str | None = None
    key_id: str | None = None
    member_id: str | None = None
    role: Role = Role.OWNER
    scopes: frozenset[Scope] = frozenset()
    contract_ids: frozenset[str] | None = None
    """The only contracts that the key reaches; `None` for all of its account's."""
    is_mediator: bool = False
    """Whether the operator lets its account decide disputes, as far as what it may read is concerned: commands look again."""
    points_per_second: int | None = None
    """What the operator lets its account use, if it said so."""
    until: float | None = None
    """When the credentials end by themselves, in seconds since 1970, for whoever came without a key of ours."""
    session_id: str | None = None
    """The session, for whoever came with one instead of a key."""
    origins: frozenset[str] = frozenset()
    """The origins of pages, beside our own, that may use the session."""
    made_by: str | None = None
    """The key that made the session, with which it ends."""

    @property
    def credentials(self) -> str | None:
        """What ends the actor's streams when it ends: the key or session, or the member who came without one."""
        return self.key_id or self.session_id or self.member_id

    def wire(self) -> dict[str, str]:
        """How an event names its actor: the kind, and what is known of account, member, key and session."""
        named = {
            "account": self.account_id, "member": self.member_id, "key": self.key_id, "session": self.session_id,
        }  # fmt: skip
        return {"kind": self.kind.value} | {name: value for name, value in named.items() if value is not None}


PROVIDER: Final = Actor(ActorKind.PROVIDER)
CLOCK: Final = Actor(ActorKind.CLOCK)
SYSTEM: Final = Actor(ActorKind.SYSTEM)


def may_see(
    actor: Actor,
    *,
    contract_id: str,
    client_id: str,
    freelancer_id: str,
    is_mediator: bool = False,
    was_disputed: bool = False,
) -> bool:
    """Whether this contract exists for this actor: its parties see it, and so does the operator.

    Mediators see contracts that have or had a dispute. A key that is limited to some contracts sees only those.
    """
    if actor.kind in (ActorKind.PROVIDER, ActorKind.CLOCK):
        return True
    if actor.contract_ids is not None and contract_id not in actor.contract_ids:
        return False
    if actor.kind is ActorKind.OPERATOR or (is_mediator and was_disputed):
        return True
    return actor.account_id in (client_id, freelancer_id)


def may_see_stream(
    actor: Actor, *, stream_id: str, client_id: str | None, freelancer_id: str | None, was_disputed: bool
) -> bool:
    """Whether the events of this stream exist for this actor: a contract's if it has parties, else an account's.

    Events of an account are seen by that account and the operator alone, and not through a key limited to contracts.
    """
    if client_id is not None and freelancer_id is not None:
        return may_see(
            actor,
            contract_id=stream_id,
            client_id=client_id,
            freelancer_id=freelancer_id,
            is_mediator=actor.is_mediator,
            was_disputed=was_disputed,
        )
    return actor.contract_ids is None and (actor.kind is ActorKind.OPERATOR or actor.account_id == stream_id)
