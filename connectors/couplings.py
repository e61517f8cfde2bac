"""Couplings in PostgreSQL: what was set up, who is at it, and what was agreed. Secrets lie encrypted.

A worker leases a coupling, so that no two play rounds of it at once. Each note renews the lease and fails without it:
whoever was paused and comes back after another has taken over changes nothing any more.
"""

from __future__ import annotations

import json
import re
import secrets as chance
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from connectors import sealed_secrets
from connectors.port import Writing
from connectors.sides import DoneLeave, Field, Pair, PlanLeave, Treaty, Values, storable
from escrow import database
from escrow.vault import Undecipherable

LEASE_SECONDS: Final = 60.0
"""Every step renews it, and a visit besides while it reads: how long others wait for one whose process died."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")
"""The systems of references, among which a coupling has its own."""

UNREADABLE_SECONDS: Final = 600.0
"""Until one is looked at again whose secrets no key of the deployment opens."""

FAULT: Final = "a fault of ours: "
"""How a problem begins that neither side has."""


class LeaseLost(Exception):
    """Somebody else is at the coupling now, or it was removed or paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """What opens the doors of both sides."""

    key: str = field(repr=False)
    """Earnest's."""
    token: str = field(repr=False)
    """The tool's."""
    webhook: str = field(default="", repr=False)
    """What the tool signs its webhooks with; empty if it sends none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupling:
    """One that was set up."""

    name: str
    tool: str
    contract_id: str
    earnest_url: str
    place: Mapping[str, str]
    """Where in the tool, by the tool's own words."""
    treaty: Treaty
    secrets: Secrets = field(repr=False)
    poll_seconds: int = 60
    """How often the tool is looked at if it doesn't ring."""
    since: str = ""
    """When it was set up: another one of the same name says everything for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A coupling to be looked at now."""

    coupling: Coupling
    token: str
    cursor: str | None
    believes: bool
    is_asked: bool
    """Whether the tool is to be read whatever Earnest's feed says: it rang, or it is time."""
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one stands, for people."""

    name: str
    tool: str
    contract_id: str
    state: str
    place: str
    settled_at: datetime | None
    pairs: int
    writes: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How all stand together, for metrics."""

    active: int
    failing: int
    lag_seconds: float
    """How long ago the most backward one's sides were last seen to say the same."""


def may_be(name: str) -> bool:
    """Whether a coupling could be called so: as what Earnest's references call a tool."""
    return _NAME.fullmatch(name) is not None


async def add(one: Coupling) -> bool:
    """Set one up; False if the name is taken."""
    sealed = sealed_secrets.seal(one.name, json.dumps(asdict(one.secrets)).encode())
    place, treaty = json.dumps(dict(one.place)), json.dumps(asdict(one.treaty))
    given = (one.name, one.tool, one.contract_id, one.earnest_url, place, treaty, sealed, one.poll_seconds)
    return (await database.execute(_ADD, *given)).endswith(" 1")


async def everything() -> list[Standing]:
    """All that were set up, by name."""
    rows = await database.fetch(_ALL)
    return [database.filled(Standing, row, place=_place(row["place"])) for row in rows]


async def pause(name: str) -> bool:
    """Leave one alone from now on; False if there is none. What is under way ends with its next note."""
    return (await database.execute(_PAUSE, name)).endswith(" 1")


async def resume(name: str, *, believes: bool = False) -> bool:
    """Go on with one at once; False if there is none."""
    return (await database.execute(_RESUME, name, believes)).endswith(" 1")


async def remove(name: str) -> bool:
    """Forget one with all that was agreed; False if there is none. Neither side changes."""
    return (await database.execute("DELETE FROM couplings WHERE name = $1", name)).endswith(" 1")


async def ring(name: str) -> bool:
    """Note that the tool said something; False if there is no such coupling."""
    return (await database.execute(_RING, name)).endswith(" 1")


async def webhook_secret(name: str) -> tuple[str, str] | None:
    """The tool and the secret that it signs with; None for one that takes no webhooks."""
    row = await database.fetch_row("SELECT tool, secrets FROM couplings WHERE name = $1", name)
    if row is None:
        return None
    secret = _opened(name, row["secrets"]).webhook
    return (row["tool"], secret) if secret else None


async def lease(count: int) -> list[Leased]:
    """At most so many that are due, each under a lease of its own."""
    found: list[Leased] = []
    for row in await database.fetch(_LEASE, count, chance.token_hex(8), LEASE_SECONDS):
        try:
            coupling = _read(row)
        except Undecipherable as error:  # the others are none the worse
            await database.execute(_FAIL, row["name"], row["lease_token"], str(error), UNREADABLE_SECONDS)
            continue
        rest = {name: row[name] for name in ("cursor", "believes", "is_asked", "failures")}
        found.append(Leased(coupling=coupling, token=row["lease_token"], **rest))
    return found


async def settle(
    leased: Leased,
    *,
    cursor: str,
    has_read: bool,
    is_settled: bool,
    writes: int,
    problem: str | None,
    pause_seconds: float,
) -> None:
    """Give one back after a visit that went well. `problem` is what it couldn't do all the same."""
    name, token = leased.coupling.name, leased.token
    told = storable(problem) if problem is not None else None
    given = (name, token, cursor, has_read, writes, told, pause_seconds, has_read and is_settled)
    await database.execute(_SETTLE, *given)


async def fail(leased: Leased, *, problem: str, pause_seconds: float) -> None:
    """Give one back after a visit that failed. What a tool answered may be in the problem, whatever that is."""
    await database.execute(_FAIL, leased.coupling.name, leased.token, storable(problem), pause_seconds)


async def give_back(leased: Sequence[Leased]) -> None:
    """Give back what this process stops being at, wherever it still has it. A coupling whose tool was being told something is
    others' when its lease ends: by then the tool has done it, or won't."""
    await database.execute(_GIVE_BACK, [one.coupling.name for one in leased], [one.token for one in leased])


async def retry_faults() -> None:
    """Have what failed by a fault of ours visited now: whoever starts may be of another release, that doesn't have it."""
    await database.execute(_RETRY_FAULTS, FAULT)


async def began_anew(leased: Leased, cursor: str) -> None:
    """Note that both sides are compared anew, and where Earnest's feed goes on: its log isn't the one that was read before."""
    if not (await database.execute(_BEGAN_ANEW, leased.coupling.name, leased.token, cursor)).endswith(" 1"):
        raise LeaseLost(leased.coupling.name)


async def next_due_seconds() -> float | None:
    """In how many seconds the next one is due that nobody is at; None if there is none."""
    seconds: float | None = await database.fetch_value(_NEXT)
    return seconds


async def backlog() -> Backlog:
    """How all stand together, in one statement."""
    row = await database.fetch_row(_BACKLOG)
    if row is None:
        raise RuntimeError("an aggregate without a row")
    return Backlog(**row)


class Pairs:
    """The memory of one leased coupling."""

    def __init__(self, leased: Leased) -> None:
        self._name = leased.coupling.name
        self._token = leased.token

    async def pairs(self) -> Sequence[Pair]:
        """All that were noted."""
        rows = await database.fetch("SELECT agreed FROM coupled_pairs WHERE coupling = $1", self._name)
        return [_pair(json.loads(row["agreed"])) for row in rows]

    async def hold(self) -> None:
        """Renew the lease. Raises `LeaseLost`."""
        if not (await database.execute(_HOLD, self._name, self._token, LEASE_SECONDS)).endswith(" 1"):
            raise LeaseLost(self._name)

    async def keep(self, pair: Pair) -> None:
        """Note a pair, and renew the lease. Raises `LeaseLost`."""
        noted = (self._name, self._token, LEASE_SECONDS, pair.milestone_id, pair.external_id, _kept(pair))
        if not (await database.execute(_KEEP, *noted)).endswith(" 1"):
            raise LeaseLost(self._name)

    async def forget(self, milestone_id: str) -> None:
        """Forget the pair of a milestone."""
        await self.hold()
        forgotten = "DELETE FROM coupled_pairs WHERE coupling = $1 AND milestone_id = $2"
        await database.execute(forgotten, self._name, milestone_id)

    async def intend(self, writing: Writing) -> None:
        """Note what is about to be written, or was, and renew the lease. Raises `LeaseLost`."""
        held = (self._name, self._token, LEASE_SECONDS)
        noted = (writing.milestone_id, writing.external_id, json.dumps(dict(writing.values)), writing.is_answered)
        if not (await database.execute(_INTEND, *held, *noted, writing.shown_at)).endswith(" 1"):
            raise LeaseLost(self._name)

    async def writings(self, unseen_seconds: float) -> Sequence[Writing]:
        """What was written and not seen yet."""
        rows = await database.fetch(_WRITINGS, self._name, unseen_seconds)
        return [database.filled(Writing, row, values=_texts(json.loads(row["said"]))) for row in rows]

    async def seen(self, milestone_ids: Sequence[str]) -> None:
        """Forget what was written of these milestones. Raises `LeaseLost`."""
        await self.hold()
        seen = "DELETE FROM coupled_writings WHERE coupling = $1 AND milestone_id = ANY($2)"
        await database.execute(seen, self._name, list(milestone_ids))


def _opened(name: str, sealed: bytes) -> Secrets:
    return Secrets(**json.loads(sealed_secrets.unseal(name, sealed)))


def _place(place: str) -> str:
    return " ".join(value for value in json.loads(place).values() if value)


def _read(row: Any) -> Coupling:
    treaty = json.loads(row["treaty"])
    leave = {"plan": PlanLeave(treaty["plan"]), "done": DoneLeave(treaty["done"])}
    return Coupling(
        name=row["name"],
        tool=row["tool"],
        contract_id=row["contract_id"],
        earnest_url=row["earnest_url"],
        place=json.loads(row["place"]),
        treaty=Treaty(**{**treaty, **leave}),
        secrets=_opened(row["name"], row["secrets"]),
        poll_seconds=row["poll_seconds"],
        since=row["created_at"].isoformat(),
    )


def _pair(kept: dict[str, Any]) -> Pair:
    texts = {name: _texts(kept.get(name, {})) for name in ("agreed", "shown", "proposed", "refused")}
    return Pair(**{**kept, **texts})


def _kept(pair: Pair) -> str:
    """As the former release reads it, which knows nothing of what is `shown` nor of an `amount`, wherever there is none."""
    return json.dumps({name: value for name, value in asdict(pair).items() if value or name not in {"shown", "amount"}})


def _texts(kept: Mapping[str, str]) -> Values:
    return {Field(name): text for name, text in kept.items()}


_ADD: Final = """
INSERT INTO couplings (name, tool, contract_id, earnest_url, place, treaty, secrets, poll_seconds, state, created_at, due_at)
VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8, 'ACTIVE', clock_timestamp(), clock_timestamp())
ON CONFLICT (name) DO NOTHING
"""

_ALL: Final = """
SELECT name, tool, contract_id, state, place, settled_at, writes, noted.pairs,
    coalesce(problem, CASE WHEN noted.refused > 0 THEN 'items that say what Earnest refuses: ' || noted.refused END,
        CASE WHEN began_anew_at > clock_timestamp() - interval '1 day'
            THEN 'Earnest was restored to an earlier moment, or is another one: both sides were compared anew at '
            || to_char(began_anew_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') END) AS problem
FROM couplings, LATERAL (
    SELECT count(*)::int AS pairs, count(*) FILTER (WHERE agreed -> 'refused' <> '{}') AS refused
    FROM coupled_pairs WHERE coupling = name
) AS noted
ORDER BY name
"""

_PAUSE: Final = "UPDATE couplings SET state = 'PAUSED', lease_token = NULL, leased_until = NULL WHERE name = $1"

_RESUME: Final = """
UPDATE couplings SET state = 'ACTIVE', believes = $2, failures = 0, problem = NULL, due_at = clock_timestamp(), read_at = NULL
WHERE name = $1
"""

_RING: Final = (
    "UPDATE couplings SET rung_at = clock_timestamp(), due_at = least(due_at, clock_timestamp()) WHERE name = $1"
)

# Who is to read the tool forgets when it was read: if they die, the next one reads it.
_LEASE: Final = """
WITH due AS (
    SELECT name, rung_at IS NOT NULL OR read_at IS NULL
        OR read_at <= clock_timestamp() - make_interval(secs => poll_seconds) AS is_asked
    FROM couplings
    WHERE state = 'ACTIVE' AND due_at <= clock_timestamp()
        AND (leased_until IS NULL OR leased_until < clock_timestamp())
    ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE couplings SET lease_token = $2, leased_until = clock_timestamp() + make_interval(secs => $3::double precision),
    rung_at = NULL, read_at = CASE WHEN is_asked THEN NULL ELSE read_at END
FROM due WHERE couplings.name = due.name
RETURNING couplings.*, is_asked
"""

# A ring while it was visited is kept: the row is due again at once. Who left something to do forgets having read, as nothing
# else may tell the next one to.
_SETTLE: Final = """
UPDATE couplings SET lease_token = NULL, leased_until = NULL, cursor = $3, failures = 0, believes = false,
    writes = writes + $5, problem = CASE WHEN $4 THEN $6 ELSE problem END,
    read_at = CASE WHEN $8 THEN clock_timestamp() WHEN $4 THEN NULL ELSE read_at END,
    settled_at = CASE WHEN $8 THEN clock_timestamp() ELSE settled_at END,
    due_at = CASE WHEN rung_at IS NOT NULL THEN clock_timestamp()
        ELSE clock_timestamp() + make_interval(secs => $7::double precision) END
WHERE name = $1 AND lease_token = $2
"""

_FAIL: Final = """
UPDATE couplings SET lease_token = NULL, leased_until = NULL, failures = failures + 1, problem = $3, read_at = NULL,
    due_at = clock_timestamp() + make_interval(secs => $4::double precision)
WHERE name = $1 AND lease_token = $2
"""

_GIVE_BACK: Final = """
UPDATE couplings SET lease_token = NULL, leased_until = NULL, read_at = NULL
FROM unnest($1::text[], $2::text[]) AS ended (coupling, token)
WHERE name = ended.coupling AND lease_token = ended.token AND NOT EXISTS (
    SELECT FROM coupled_writings AS told WHERE told.coupling = ended.coupling AND NOT is_answered)
"""

_RETRY_FAULTS: Final = """
UPDATE couplings SET due_at = least(due_at, clock_timestamp()) WHERE state = 'ACTIVE' AND starts_with(problem, $1)
"""

_HOLD: Final = """
UPDATE couplings SET leased_until = clock_timestamp() + make_interval(secs => $3::double precision)
WHERE name = $1 AND lease_token = $2
"""

_KEEP: Final = f"""
WITH held AS ({_HOLD} RETURNING name)
INSERT INTO coupled_pairs (coupling, milestone_id, external_id, agreed) SELECT name, $4, $5, $6::jsonb FROM held
ON CONFLICT (coupling, milestone_id) DO UPDATE SET external_id = excluded.external_id, agreed = excluded.agreed
"""  # noqa: S608 - constants of this module

_BEGAN_ANEW: Final = """
UPDATE couplings SET cursor = $3, began_anew_at = clock_timestamp(), read_at = NULL WHERE name = $1 AND lease_token = $2
"""

_INTEND: Final = f"""
WITH held AS ({_HOLD} RETURNING name)
INSERT INTO coupled_writings (coupling, milestone_id, external_id, said, is_answered, shown_at)
SELECT name, $4, $5, $6::jsonb, $7, $8 FROM held
ON CONFLICT (coupling, milestone_id) DO UPDATE SET external_id = excluded.external_id, said = excluded.said,
    is_answered = excluded.is_answered, shown_at = excluded.shown_at, written_at = excluded.written_at
"""  # noqa: S608 - constants of this module

_WRITINGS: Final = """
SELECT milestone_id, external_id, said, is_answered, shown_at,
    written_at <= clock_timestamp() - make_interval(secs => $2::double precision) AS is_late
FROM coupled_writings WHERE coupling = $1 ORDER BY written_at
"""

_NEXT: Final = """
SELECT min(greatest(0, extract(epoch FROM greatest(due_at, leased_until) - clock_timestamp())))::float8
FROM couplings WHERE state = 'ACTIVE'
"""

_BACKLOG: Final = """
SELECT count(*)::int AS active, count(*) FILTER (WHERE failures > 0 OR problem IS NOT NULL)::int AS failing,
    coalesce(max(extract(epoch FROM clock_timestamp() - coalesce(settled_at, created_at))), 0)::float8 AS lag_seconds
FROM couplings WHERE state = 'ACTIVE'
"""
