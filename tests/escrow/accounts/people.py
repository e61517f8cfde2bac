"""Accounts, members, keys and actors as the pure tests need them: a deployment of a few well-known people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from escrow import ids
from escrow.access import AccountType, Actor, ActorKind, Role, Scope
from escrow.accounts import tokens
from escrow.accounts.commands import AccountCommand
from escrow.accounts.decide import decide
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account, AccountSurroundings, Key, Member, Session
from escrow.accounts.state.endpoints import Algorithm, Endpoint, SealedSecret, Secret, SecretFacts
from escrow.agreement.events import Event, Recorded

NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AROUND: Final = AccountSurroundings(now=NOW, real_now=NOW, is_visible=False)
ALL_SCOPES: Final = frozenset(Scope)
OWN_SCOPES: Final = ALL_SCOPES - {Scope.OPERATOR}


def identifier(kind: ids.Kind, number: int) -> str:
    """The same one in each run: `acc_…1`."""
    return f"{kind.value}_{ids.encode(number)}"


OPERATOR_ID: Final = identifier(ids.Kind.ACCOUNT, 1)
STUDIO_ID: Final = identifier(ids.Kind.ACCOUNT, 2)
OTHER_ID: Final = identifier(ids.Kind.ACCOUNT, 3)
NEW_ACCOUNT_ID: Final = identifier(ids.Kind.ACCOUNT, 9)
CONTRACT_ID: Final = identifier(ids.Kind.CONTRACT, 1)
OTHER_CONTRACT_ID: Final = identifier(ids.Kind.CONTRACT, 2)

ANA: Final = Member(identifier(ids.Kind.MEMBER, 1), "ana@studio.example", "Ana", Role.OWNER, NOW)
BEN: Final = Member(identifier(ids.Kind.MEMBER, 2), "ben@studio.example", "Ben", Role.OWNER, NOW)
CLEO: Final = Member(identifier(ids.Kind.MEMBER, 3), "cleo@studio.example", "Cleo", Role.VIEWER, NOW)
GONE: Final = Member(identifier(ids.Kind.MEMBER, 4), "dan@studio.example", "Dan", Role.OWNER, NOW, removed_at=NOW)
NEW_MEMBER_ID: Final = identifier(ids.Kind.MEMBER, 9)
NEW_KEY_ID: Final = identifier(ids.Kind.KEY, 9)
TOKEN: Final = tokens.new()


def key(number: int, *, member: Member | None = None, contracts: tuple[str, ...] | None = None) -> Key:
    """A valid key of the studio."""
    return Key(
        id=identifier(ids.Kind.KEY, number),
        member_id=member.id if member else None,
        name=f"key {number}",
        scopes=(Scope.CONTRACTS_READ,),
        contract_ids=contracts,
        hint="wxyz",
        fingerprint="0" * 64,
        created_at=NOW,
    )


OFFICE_KEY: Final = key(1)
BENS_KEY: Final = key(2, member=BEN)
BENS_REVOKED_KEY: Final = replace(key(3, member=BEN), revoked_at=NOW)
LIMITED_KEY: Final = key(4, contracts=(CONTRACT_ID,))


def session(
    number: int, *, member: Member | None = None, contracts: tuple[str, ...] | None = None, maker: Key | None = None
) -> Session:
    """A session of the studio that lives for an hour."""
    return Session(
        id=identifier(ids.Kind.SESSION, number),
        member_id=member.id if member else None,
        scopes=(Scope.CONTRACTS_READ,),
        contract_ids=contracts,
        origins=("https://app.example.com",),
        hint="wxyz",
        fingerprint="1" * 64,
        created_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        created_by=maker.id if maker else None,
    )


OFFICE_SESSION: Final = session(1, maker=OFFICE_KEY)
BENS_SESSION: Final = session(2, member=BEN, maker=OFFICE_KEY)
LIMITED_SESSION: Final = session(3, contracts=(CONTRACT_ID,))
WAITING_LINK: Final = replace(session(4), opens_for_seconds=3600)
NEW_SESSION_ID: Final = identifier(ids.Kind.SESSION, 9)


def sealed(algorithm: Algorithm, number: int) -> SealedSecret:
    """A made-up secret: its fingerprint is the number."""
    public_key = "whpk_" + "A" * 43 + "=" if algorithm is Algorithm.ED25519 else None
    facts = SecretFacts(algorithm=algorithm, fingerprint=f"{number:064x}", public_key=public_key)
    return SealedSecret(facts=facts, ciphertext=b"secret")


def endpoint(number: int, *, contracts: tuple[str, ...] | None = None) -> Endpoint:
    """An endpoint of the studio, which signs with HMAC."""
    return Endpoint(
        id=identifier(ids.Kind.ENDPOINT, number),
        url="https://hooks.example.com/earnest",
        description="",
        event_types=("*",),
        contract_ids=contracts,
        api_version="2026-11-22",
        version=3,
        created_at=NOW,
        secrets=(Secret(facts=sealed(Algorithm.HMAC_SHA256, number).facts, created_at=NOW),),
    )


ENDPOINT: Final = endpoint(1)
LIMITED_ENDPOINT: Final = endpoint(2, contracts=(CONTRACT_ID,))
NEW_ENDPOINT_ID: Final = identifier(ids.Kind.ENDPOINT, 9)
NEW_SECRETS: Final = tuple(sealed(algorithm, 100 + number) for number, algorithm in enumerate(Algorithm))

OPERATOR: Final = Account(OPERATOR_ID, "Earnest", AccountType.COMPANY, is_operator=True, created_at=NOW)
STUDIO: Final = Account(
    STUDIO_ID,
    "Studio",
    AccountType.AGENCY,
    is_operator=False,
    created_at=NOW,
    members={member.id: member for member in (ANA, BEN, CLEO, GONE)},
    keys={one.id: one for one in (OFFICE_KEY, BENS_KEY, BENS_REVOKED_KEY, LIMITED_KEY)},
    endpoints={one.id: one for one in (ENDPOINT, LIMITED_ENDPOINT)},
)
BROWSED_STUDIO: Final = replace(
    STUDIO, sessions={one.id: one for one in (OFFICE_SESSION, BENS_SESSION, LIMITED_SESSION, WAITING_LINK)}
)


def actor(
    account_id: str = STUDIO_ID,
    *,
    role: Role = Role.OWNER,
    scopes: frozenset[Scope] = OWN_SCOPES,
    contracts: frozenset[str] | None = None,
) -> Actor:
    """Somebody who acts for an account with a key."""
    kind = ActorKind.OPERATOR if account_id == OPERATOR_ID and Scope.OPERATOR in scopes else ActorKind.ACCOUNT
    key_id = identifier(ids.Kind.KEY, 99)
    return Actor(kind, account_id, key_id, role=role, scopes=scopes, contract_ids=contracts)


def browser(
    account_id: str = STUDIO_ID,
    *,
    role: Role = Role.OWNER,
    scopes: frozenset[Scope] = OWN_SCOPES,
    contracts: frozenset[str] | None = None,
) -> Actor:
    """Somebody who acts for an account with a session."""
    by_key = actor(account_id, role=role, scopes=scopes, contracts=contracts)
    return replace(by_key, key_id=None, session_id=identifier(ids.Kind.SESSION, 99))


THE_OPERATOR: Final = actor(OPERATOR_ID, scopes=frozenset({Scope.OPERATOR}))
OWNER: Final = actor()


def outcome(
    state: Account | None,
    command: AccountCommand,
    *,
    by: Actor = OWNER,
    around: AccountSurroundings = AROUND,
) -> tuple[Sequence[Event], Account | None]:
    """The events of a command and the account after them."""
    found = decide(state, command, actor=by, around=around)
    after = state
    for event in found:
        after = evolve(after, getattr(command, "account_id", STUDIO_ID), Recorded(event, around.now, by))
    return found, after


def in_days(days: float) -> datetime:
    return NOW + timedelta(days=days)
