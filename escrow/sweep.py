"""Finds contracts with due deadlines, claims them under a lease, has the deadlines applied, and notes how it went.

PostgreSQL knows what is due, by its own clock and the test clock's offset. A claim only keeps workers out of each other's
way: a deadline is applied by the same command as ever, and the contract's version decides. Leases and pauses are real time.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from escrow import database, pipeline
from escrow.access import CLOCK, ActorKind
from escrow.agreement.commands import ApplyDeadlines
from escrow.agreement.deadlines import ACTIONS
from escrow.clock import NOW_SQL
from escrow.log import Sealed

LEASE_SECONDS: Final = 5.0
"""How long a contract belongs to who claimed it. A command takes milliseconds; this is how late a worker that was killed
in mid-fire makes it, and whoever needs longer only shares the work with the next."""

RETRY_SECONDS: Final = 1.0
"""After a failure the contract is left alone for so long, doubled with each further attempt."""

RETRY_SECONDS_MAX: Final = 15 * 60.0

COUNTED_MAX: Final = 10_000
"""Counts for metrics go so far: a scrape must not cost more, the more there is to worry about."""

FAILED: Final = "failed"
"""The outcome that failures are counted under, beside the types of events."""

_ERROR_CHARACTERS_MAX: Final = 500


class NothingHappens(Exception):
    """A contract has a deadline that is due, but its law says that there is none: a fault of ours."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Contracts with something due, under one lease."""

    token: str
    contract_ids: tuple[str, ...]


async def claim(limit: int) -> Claim:
    """Take contracts with something due, those with the oldest deadlines first, that nobody is at; one statement.

    Looks at no more than `limit` deadlines, of which a contract may have several.
    """
    token = secrets.token_hex(8)
    rows = await database.fetch(_CLAIM, limit, token, LEASE_SECONDS)
    return Claim(token, tuple(row["contract_id"] for row in rows))


async def fire_together(contract_ids: Sequence[str]) -> dict[str, Counter[str]]:
    """Apply what is due on several contracts, at a fraction of what it costs for each by itself.

    Answers of those where it could be done how often which type of event came of it; the others are as they were.
    """
    return {name: _happened(sealed) for name, sealed in (await pipeline.apply_deadlines(contract_ids)).items()}


def _happened(sealed: Sequence[Sealed]) -> Counter[str]:
    return Counter(event.type for event in sealed if event.recorded.actor.kind is ActorKind.CLOCK)


async def fire(contract_id: str) -> Counter[str]:
    """Apply what is due on one contract; answers how often which type of event came of it, none if somebody was faster.

    Raises what keeps it from being applied.
    """
    outcome = await pipeline.run(ApplyDeadlines(contract_id=contract_id), by=CLOCK)
    happened = _happened(outcome.recorded)
    if not happened:
        now = outcome.around.now
        await database.execute(_FORGET_REMINDERS, contract_id, now, outcome.version)
        if await database.fetch_value(_STILL_DUE, contract_id, now):
            raise NothingHappens("a deadline is due that the contract doesn't know")
    return happened


async def hand_back(
    token: str,
    *,
    done: Sequence[str] = (),
    unused: Sequence[str] = (),
    failed: Mapping[str, str],
    happened: Mapping[str, int],
) -> None:
    """Give contracts back that were claimed under `token`; those that failed, with the reason, wait longer each time.

    `unused` are those that nobody began with: what had failed before the claim still has, and may be tried at once.
    Counts the deadlines in what happened, not what followed from them. Contracts that somebody else has claimed since are
    left to them. One statement.
    """
    counts = {event: happened[event] for event in ACTIONS if event in happened} | (
        {FAILED: len(failed)} if failed else {}
    )
    await database.execute(
        _HAND_BACK,
        token,
        list(done),
        list(failed),
        [error[:_ERROR_CHARACTERS_MAX] for error in failed.values()],
        RETRY_SECONDS,
        RETRY_SECONDS_MAX,
        list(counts),
        list(counts.values()),
        list(unused),
    )


async def seconds_until_next() -> float | None:
    """How long until a contract that nobody is at has something due, or may be tried again; `None` if no clock runs.

    On the way it forgets contracts that somebody was at once, or that failed once, and that have nothing due any more.
    """
    seconds: float | None = await database.fetch_value(_NEXT)
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How deadlines stand: for metrics and for readiness."""

    pending: int
    """Running clocks, reminders included; beyond `COUNTED_MAX` PostgreSQL's own estimate."""
    overdue: int
    """Those that are due and were not applied yet, at most `COUNTED_MAX`."""
    oldest_overdue_seconds: float
    """How long the oldest of them has been due, in domain time; 0 if there is none."""
    oldest_waiting_seconds: float
    """The same without the contracts that failed: how late the sweep itself is."""
    failing: int
    """Contracts whose deadlines could not be applied, for a fault of ours, at most `COUNTED_MAX`."""


async def backlog() -> Backlog:
    """How deadlines stand now; one statement whose cost doesn't grow with the number of clocks."""
    row = await database.fetch_row(_BACKLOG, COUNTED_MAX)
    if row is None:
        raise RuntimeError("the database has no row of deployment: run `earnest migrate`")
    return Backlog(**row)


async def counts() -> dict[str, int]:
    """How often workers applied a deadline, by its event, and how often they `FAILED`; all workers of all times."""
    return {row["outcome"]: row["total"] for row in await database.fetch("SELECT outcome, total FROM deadline_counts")}


_UNLESS_HELD: Final = """NOT EXISTS (
    SELECT FROM deadline_sweeps AS held
    WHERE held.contract_id = clock.contract_id AND held.free_at > clock_timestamp() OFFSET 0)"""
"""OFFSET keeps it a look-up by key for each clock: as a join it would be planned by statistics that are always old."""

# Rows that a command is about to change, or that another claim has just taken, are skipped. Keys come in their order, so
# that two claims never wait for each other in a circle.
_CLAIM: Final = f"""
WITH due AS MATERIALIZED (
    SELECT clock.contract_id FROM deadlines AS clock
    WHERE clock.due_at <= {NOW_SQL} AND {_UNLESS_HELD}
    ORDER BY clock.due_at, clock.contract_id LIMIT $1
    FOR UPDATE OF clock SKIP LOCKED
)
INSERT INTO deadline_sweeps AS held (contract_id, free_at, lease_token, attempts)
SELECT contract_id, clock_timestamp() + $3 * interval '1 second', $2, 1
FROM (SELECT DISTINCT contract_id FROM due) AS chosen ORDER BY contract_id
ON CONFLICT (contract_id) DO UPDATE
    SET free_at = EXCLUDED.free_at, lease_token = EXCLUDED.lease_token, attempts = held.attempts + 1
    WHERE held.free_at <= clock_timestamp()
RETURNING contract_id
"""

# While an update is rolled out, a process of the release before reminders leaves them behind when it stops a clock.
_FORGET_REMINDERS: Final = """
DELETE FROM deadlines AS clock USING contracts AS contract
WHERE clock.contract_id = $1 AND clock.kind = 'REMINDER' AND clock.due_at <= $2
    AND contract.id = $1 AND contract.version = $3
"""

_STILL_DUE: Final = "SELECT EXISTS (SELECT FROM deadlines WHERE contract_id = $1 AND due_at <= $2)"

_HAND_BACK: Final = """
WITH given_back AS (
    DELETE FROM deadline_sweeps
    WHERE lease_token = $1 AND (contract_id = ANY ($2::text[]) OR contract_id = ANY ($9::text[]) AND attempts = 1)
), unused AS (
    UPDATE deadline_sweeps SET attempts = attempts - 1, free_at = clock_timestamp()
    WHERE lease_token = $1 AND contract_id = ANY ($9::text[]) AND attempts > 1
), put_off AS (
    UPDATE deadline_sweeps AS held
    SET last_error = failed.error,
        free_at = clock_timestamp() + least($5 * 2 ^ least(held.attempts - 1, 30), $6) * interval '1 second'
    FROM unnest($3::text[], $4::text[]) AS failed (contract_id, error)
    WHERE held.contract_id = failed.contract_id AND held.lease_token = $1
)
INSERT INTO deadline_counts AS known (outcome, total)
SELECT * FROM unnest($7::text[], $8::bigint[]) AS given (outcome, total) ORDER BY outcome
ON CONFLICT (outcome) DO UPDATE SET total = known.total + EXCLUDED.total
"""

_NEXT: Final = f"""
WITH forgotten AS (
    DELETE FROM deadline_sweeps AS held WHERE held.free_at <= clock_timestamp() AND NOT EXISTS (
        SELECT FROM deadlines AS clock WHERE clock.contract_id = held.contract_id AND clock.due_at <= {NOW_SQL} OFFSET 0)
)
SELECT extract(epoch FROM least(
    (SELECT clock.due_at FROM deadlines AS clock WHERE {_UNLESS_HELD} ORDER BY clock.due_at LIMIT 1) - {NOW_SQL},
    (SELECT min(free_at) FROM deadline_sweeps WHERE free_at > clock_timestamp()) - clock_timestamp()))::float8
"""

_OLDEST: Final = """
SELECT clock.due_at FROM deadlines AS clock WHERE clock.due_at <= moment.now {which} ORDER BY clock.due_at LIMIT 1"""
_OF_NO_FAILURE: Final = """AND NOT EXISTS (
    SELECT FROM deadline_sweeps AS held
    WHERE held.contract_id = clock.contract_id AND held.last_error IS NOT NULL OFFSET 0)"""

_BACKLOG: Final = f"""
SELECT CASE WHEN counted.pending <= $1 THEN counted.pending
        ELSE greatest(counted.pending, (SELECT reltuples::bigint FROM pg_class WHERE oid = 'deadlines'::regclass))
    END AS pending,
    (SELECT count(*) FROM (SELECT FROM deadlines WHERE due_at <= moment.now LIMIT $1) AS due) AS overdue,
    coalesce(extract(epoch FROM moment.now - ({_OLDEST.format(which="")})), 0)::float8 AS oldest_overdue_seconds,
    coalesce(extract(epoch FROM moment.now - ({_OLDEST.format(which=_OF_NO_FAILURE)})), 0)::float8
        AS oldest_waiting_seconds,
    (SELECT count(*) FROM (SELECT FROM deadline_sweeps WHERE last_error IS NOT NULL LIMIT $1) AS ill) AS failing
FROM (SELECT {NOW_SQL} AS now OFFSET 0) AS moment,
    (SELECT count(*) AS pending FROM (SELECT FROM deadlines LIMIT $1 + 1) AS running) AS counted
"""
