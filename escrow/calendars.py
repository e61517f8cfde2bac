"""Shows an account's dates to calendar programs: the token for whoever may see them, and the dates themselves.

A calendar program sends no credentials, so its address is the secret: 256 random bits, stored as a digest. Each member has
one token and so have the account's own keys; making one anew ends the one before. It shows what the key that made it may
read, and ends with that key and with the member.
"""

# ruff: noqa: S608 - only our own columns, conditions and numbers of parameters are filled into statements

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from escrow import database, ids
from escrow.access import Actor, ActorKind, Role, Scope
from escrow.agreement.authorisation import missing_scope
from escrow.agreement.deadlines import UNSEEN, deadlines
from escrow.errors import Forbidden, InvalidInput
from escrow.idempotency import Idempotency, arguments, first_result, retry_on_conflict, store_sql
from escrow.ids import Kind
from escrow.queries.contracts import Standing, standings
from escrow.states import CLOSED, ContractState, MilestoneState

DUE_DATES_MAX: Final = 1_000
"""The most due dates in a calendar, the earliest first."""

CONTRACTS_MAX: Final = 200
"""The most contracts whose deadlines are in a calendar, those whose clocks end first."""

CHOSEN_MAX: Final = 100

_HALF: Final = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_TOKEN: Final = re.compile(f"cal_{_HALF}{_HALF}")

_OPEN: Final = sorted(state.value for state in MilestoneState if state not in CLOSED)
_RUNNING: Final = [ContractState.PROPOSED.value, ContractState.ACTIVE.value]


# --- tokens ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Made:
    """What came of asking for a token; it is `None` for a repetition."""

    token: str | None
    replayed: bool = False


@retry_on_conflict()
async def create_token(
    *, by: Actor, contract_ids: Collection[str] | None = None, idempotency: Idempotency | None = None
) -> Made:
    """A fresh token for the account's dates, or for those of some contracts, which ends the one before.

    Refuses with `Forbidden` keys without `contracts:read`, with `InvalidInput` more than `CHOSEN_MAX` contracts.
    """
    _check(by)
    if by.session_id is not None:
        raise Forbidden("A session makes nothing that outlives it; a calendar's address takes a key.")
    if await first_result(by, idempotency) is not None:
        return Made(None, replayed=True)
    if contract_ids is not None and len(contract_ids) > CHOSEN_MAX:
        raise InvalidInput(f"At most {CHOSEN_MAX} contracts, not {len(contract_ids)}.", field="contractIds")
    token = f"cal_{ids.encode(secrets.randbits(128))}{ids.encode(secrets.randbits(128))}"
    shown = (by.account_id, by.member_id, _digest(token), _within(by, contract_ids), by.key_id)
    await database.execute(_CREATE, *shown, *arguments(by, idempotency, {}))
    return Made(token)


@retry_on_conflict()
async def revoke_token(*, by: Actor, everybodys: bool = False, idempotency: Idempotency | None = None) -> bool:
    """End the token of the member or of the account's own keys, or `everybodys`; answers whether it is a repetition.

    Where there is none nothing changes. Refuses with `Forbidden` keys without `contracts:read`, and to end everybody's all
    but owners with keys for the whole account.
    """
    _check(by)
    if by.session_id is not None and by.contract_ids is not None:
        raise Forbidden("This session is limited to some contracts; this is about the account.")
    if everybodys and (by.contract_ids is not None or not by.role.includes(Role.OWNER)):
        raise Forbidden("Only an owner with a key for the whole account ends everybody's calendars.")
    if await first_result(by, idempotency) is not None:
        return True
    owner_id = None if everybodys else by.member_id or by.account_id
    await database.execute(_REVOKE, by.account_id, owner_id, *arguments(by, idempotency, {}))
    return False


def _within(by: Actor, chosen: Collection[str] | None) -> list[str] | None:
    """The contracts that are shown: those that were chosen, as far as the key reaches them."""
    if chosen is None:
        return sorted(by.contract_ids) if by.contract_ids is not None else None
    wanted = {one for one in chosen if ids.is_a(Kind.CONTRACT, one)}
    return sorted(wanted if by.contract_ids is None else wanted & by.contract_ids)


async def reader_of(token: str) -> Actor | None:
    """Whom a calendar is shown to, as an actor that reads; `None` for what is no token (any more)."""
    row = await database.fetch_row(_READER, _digest(token)) if _TOKEN.fullmatch(token) else None
    if row is None:
        return None
    return Actor(
        ActorKind.ACCOUNT,
        row["account_id"],
        member_id=row["member_id"],
        scopes=frozenset({Scope.CONTRACTS_READ}),
        contract_ids=frozenset(row["contract_ids"]) if row["contract_ids"] is not None else None,
        points_per_second=row["points_per_second"],
    )


def _check(by: Actor) -> None:
    if by.account_id is None:
        raise Forbidden("Only an account has a calendar.")
    if refusal := missing_scope(by, Scope.CONTRACTS_READ):
        raise refusal


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


_CREATE: Final = f"""
WITH {store_sql(first=6)}
INSERT INTO calendar_tokens (owner_id, account_id, member_id, token_sha256, contract_ids, key_id)
VALUES (coalesce($2::text, $1), $1, $2::text, $3::bytea, $4::text[], $5::text)
ON CONFLICT (owner_id) DO UPDATE SET token_sha256 = EXCLUDED.token_sha256, contract_ids = EXCLUDED.contract_ids,
    created_at = EXCLUDED.created_at, key_id = EXCLUDED.key_id
"""

_REVOKE: Final = f"""
WITH {store_sql(first=3)}
DELETE FROM calendar_tokens WHERE account_id = $1 AND ($2::text IS NULL OR owner_id = $2::text)
"""

_READER: Final = """
SELECT token.account_id, token.member_id, token.contract_ids, account.points_per_second FROM calendar_tokens AS token
JOIN accounts AS account ON account.id = token.account_id
LEFT JOIN members AS member ON member.id = token.member_id
LEFT JOIN api_keys AS key ON key.id = token.key_id
WHERE token.token_sha256 = $1 AND member.removed_at IS NULL AND key.revoked_at IS NULL
AND (key.expires_at IS NULL OR key.expires_at > clock_timestamp())
"""


# --- dates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDate:
    """A milestone that is not closed, and the day on which it is due."""

    milestone_id: str
    title: str
    contract_title: str
    time_zone: str
    state: MilestoneState
    due_on: date
    updated_at: datetime
    url: str | None
    """Where the account's own program shows it, if it told us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A running clock: `action` is the event that will happen at `at`; `milestones` are the titles of those that wait."""

    uid: str
    action: str
    at: datetime
    contract_title: str
    milestone_ids: tuple[str, ...]
    milestones: tuple[str, ...]
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Running:
    """The clocks that run, and how many milestones were read to find them."""

    clocks: list[Clock]
    milestones: int


async def due_dates(reader: Actor) -> list[DueDate]:
    """What is due in the contracts of the reader's account, the earliest first; one statement."""
    within = sorted(reader.contract_ids) if reader.contract_ids is not None else None
    rows = await database.fetch(_DUE_DATES, reader.account_id, _OPEN, _RUNNING, within, DUE_DATES_MAX)
    return [database.filled(DueDate, row, state=MilestoneState(row["state"])) for row in rows]


async def clocks(reader: Actor) -> Running:
    """What happens by itself in the contracts of the reader's account, the earliest first; two statements."""
    within = sorted(reader.contract_ids) if reader.contract_ids is not None else None
    rows = await database.fetch(_WAITING, reader.account_id, within, CONTRACTS_MAX)
    found = await standings(reader, [row["id"] for row in rows]) if rows else {}
    running = [clock for standing in found.values() for clock in _running(standing)]
    read = sum(len(standing.stored.milestones) for standing in found.values())
    return Running(sorted(running, key=lambda clock: (clock.at, clock.uid)), read)


def _running(standing: Standing) -> Iterator[Clock]:
    contract = standing.stored
    for clock in deadlines(contract):
        if clock.kind not in UNSEEN:
            waiting = [contract.milestone(milestone_id) for milestone_id in clock.milestone_ids]
            yield Clock(
                uid=f"{clock.subject_id}.{clock.kind.value.lower()}",
                action=clock.action,
                at=clock.due_at,
                contract_title=contract.title,
                milestone_ids=clock.milestone_ids,
                milestones=tuple(milestone.title for milestone in waiting if milestone is not None),
                updated_at=contract.updated_at,
            )


def _by_role(scan: str) -> str:
    """One scan for each role of the account, merged."""
    return " UNION ALL ".join(f"({scan.format(role=role)})" for role in ("client_id", "freelancer_id"))


_DUE: Final = """
    SELECT m.id AS milestone_id, m.title, m.due_on, m.state, m.updated_at, c.title AS contract_title, c.time_zone,
        (SELECT url FROM external_references
            WHERE account_id = $1 AND subject_id = m.id AND url IS NOT NULL ORDER BY system LIMIT 1) AS url
    FROM milestones AS m CROSS JOIN LATERAL (
        SELECT title, time_zone FROM contracts
        WHERE id = m.contract_id AND revision = m.revision AND state = ANY ($3::text[]) OFFSET 0) AS c
    WHERE m.{role} = $1 AND m.state = ANY ($2::text[]) AND ($4::text[] IS NULL OR m.contract_id = ANY ($4::text[]))
    ORDER BY m.due_on, m.id LIMIT $5"""
_DUE_DATES: Final = f"SELECT * FROM ({_by_role(_DUE)}) AS due ORDER BY due_on, milestone_id LIMIT $5"

_CLOCK: Final = """
    SELECT id, deadline_at FROM contracts AS c
    WHERE c.{role} = $1 AND deadline_at IS NOT NULL AND ($2::text[] IS NULL OR id = ANY ($2::text[]))
    ORDER BY deadline_at, id LIMIT $3"""
_WAITING: Final = f"SELECT id FROM ({_by_role(_CLOCK)}) AS waiting ORDER BY deadline_at, id LIMIT $3"
