"""What an account may see of its deliveries: pages, attempts, and where each event went; one statement for each.

Deliveries belong to whoever owns the endpoint. The operator sees those of any endpoint that it names, a key that is limited to
some contracts only those of their events.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from escrow import database, ids
from escrow.access import Actor, ActorKind
from escrow.database import Record
from escrow.ids import Kind as IdKind
from webhooks.delivery.lanes import Kind, State

SCANNED_MAX: Final = 20_000
"""Deliveries that one page looks at, shared among the endpoints: what is rare among millions is found by turning pages, and no
question keeps the database busy for long."""

CLOCKS_APART: Final = timedelta(minutes=1)
"""Identifiers carry the time of the process that made them; creation is told by the database. So far apart at most."""

_ID_MAX: Final = f"{IdKind.DELIVERY}_{ids.encode(2**128 - 1)}"


class Trigger(StrEnum):
    """Why an attempt was made."""

    EVENT = "EVENT"
    REPLAY = "REPLAY"
    REDELIVERY = "REDELIVERY"
    TEST = "TEST"
    RETRY = "RETRY"


class AttemptError(StrEnum):
    """Why an attempt has no complete answer: what the sender says, and what became of workers."""

    URL_REFUSED = "URL_REFUSED"
    DNS_FAILED = "DNS_FAILED"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    DISCONNECTED = "DISCONNECTED"
    INVALID_ANSWER = "INVALID_ANSWER"
    TIMEOUT = "TIMEOUT"
    ABANDONED = "ABANDONED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One event on its way to one endpoint. `position` is `None` for a test, whose event is in no log."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    stream_id: str
    position: int | None
    kind: Kind
    state: State
    created_at: datetime
    finished_at: datetime | None
    next_attempt_at: datetime | None
    """`None` while it is attempted, waits behind another one or for its endpoint to be enabled, and once it is final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One request for one delivery, and what came of it. Times are in milliseconds since `started_at`."""

    id: str
    delivery_id: str
    trigger: Trigger
    started_at: datetime
    status: int | None
    error: AttemptError | None
    address: str | None
    dns_ms: float | None
    connect_ms: float | None
    first_byte_ms: float | None
    total_ms: float | None
    answer: bytes
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A stretch of the log that an endpoint gets once more: what lies after one position, up to another."""

    id: str
    endpoint_id: str
    after_position: int
    looked_until_position: int
    until_position: int
    deliveries: int
    is_over: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Which deliveries are asked for; what is `None` doesn't narrow."""

    endpoint_id: str | None = None
    states: Collection[State] | None = None
    event_types: Collection[str] | None = None
    event_id: str | None = None
    contract_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    @property
    def is_by_event(self) -> bool:
        """Whether the deliveries are found through the events that they deliver."""
        return self.event_id is not None or self.contract_id is not None

    @property
    def leaves_out(self) -> bool:
        """Whether a scan of an endpoint's deliveries meets some that aren't asked for."""
        given = (self.states, self.event_types, self.created_after, self.created_before)
        return any(value is not None for value in given)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """At most as many deliveries as asked for, newest first. `looked_until` is the last one that was looked at, if the look
    ended before the page was full: a next page goes on from there."""

    found: tuple[DeliveryView, ...]
    looked_until: str | None = None


async def deliveries_page(actor: Actor, narrowing: Narrowing, *, limit: int, after: str | None) -> DeliveryPage:
    """Deliveries that the actor may see, newest first, those after the id `after`; one statement."""
    statement = _BY_EVENT if narrowing.is_by_event else _BY_ENDPOINT
    before, since = narrowing.created_before, narrowing.created_after
    rows = await database.fetch(
        statement,
        actor.account_id,
        actor.kind is ActorKind.OPERATOR and narrowing.endpoint_id is not None,
        narrowing.endpoint_id,
        min(after or _ID_MAX, _id_at(before, CLOCKS_APART) if before is not None else _ID_MAX),
        _id_at(since, -CLOCKS_APART) if since is not None else "",
        limit,
        sorted(actor.contract_ids) if actor.contract_ids is not None else None,
        sorted(narrowing.states) if narrowing.states is not None else None,
        sorted(narrowing.event_types) if narrowing.event_types is not None else None,
        since,
        before,
        *(
            (narrowing.event_id, narrowing.contract_id)
            if narrowing.is_by_event
            else (_scanned(actor, narrowing, limit),)
        ),
    )
    horizon = max((row["id"] for row in rows if row["is_horizon"]), default=None)
    found = [row for row in rows if row["fits"] and (horizon is None or row["id"] >= horizon)][:limit]
    return DeliveryPage(tuple(map(_delivery, found)), horizon if len(found) < limit else None)


def _scanned(actor: Actor, narrowing: Narrowing, limit: int) -> int:
    """How many deliveries are looked at; of each endpoint no more than the page where each of them fits."""
    return SCANNED_MAX if narrowing.leaves_out or actor.contract_ids is not None else limit


async def deliveries_by_id(actor: Actor, delivery_ids: Collection[str]) -> dict[str, DeliveryView]:
    """Those of the deliveries that exist and that the actor may see, by identifier; one statement."""
    wanted = [one for one in set(delivery_ids) if ids.is_a(IdKind.DELIVERY, one)]
    rows = await database.fetch(_BY_ID, *_viewer(actor), wanted) if wanted else []
    return {row["id"]: _delivery(row) for row in rows}


async def deliveries_of_events(
    actor: Actor, event_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[DeliveryView]]:
    """Where each of these events was delivered to, of the actor's own endpoints alone: at most `limit` deliveries in order of
    their making, those after the id `after`; one statement."""
    found: dict[str, list[DeliveryView]] = {}
    rows = await database.fetch(_OF_EVENTS, actor.account_id, _limit(actor), sorted(set(event_ids)), limit, after or "")
    for row in rows:
        found.setdefault(row["event_id"], []).append(_delivery(row))
    return found


async def attempts_pages(
    delivery_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[AttemptView]]:
    """For each delivery at most `limit` attempts in their order, those after the id `after`; one statement.

    Whether the deliveries may be seen is the caller's question.
    """
    found: dict[str, list[AttemptView]] = {}
    for row in await database.fetch(_ATTEMPTS, sorted(set(delivery_ids)), limit, after or ""):
        found.setdefault(row["delivery_id"], []).append(_attempt(row))
    return found


async def attempts_by_id(actor: Actor, attempt_ids: Collection[str]) -> dict[str, AttemptView]:
    """Those of the attempts that exist and that the actor may see, by identifier; one statement."""
    wanted = [one for one in set(attempt_ids) if ids.is_a(IdKind.ATTEMPT, one)]
    rows = await database.fetch(_ATTEMPTS_BY_ID, *_viewer(actor), wanted) if wanted else []
    return {row["id"]: _attempt(row) for row in rows}


async def replays_by_id(actor: Actor, replay_ids: Collection[str]) -> dict[str, ReplayView]:
    """Those of the replays that exist and whose endpoint the actor may see, by identifier; one statement."""
    wanted = [one for one in set(replay_ids) if ids.is_a(IdKind.REPLAY, one)]
    rows = await database.fetch(_REPLAYS_BY_ID, *_viewer(actor), wanted) if wanted else []
    return {row["id"]: _replay(row) for row in rows}


def _viewer(actor: Actor) -> Sequence[object]:
    return actor.account_id, actor.kind is ActorKind.OPERATOR, _limit(actor)


def _limit(actor: Actor) -> list[str] | None:
    return sorted(actor.contract_ids) if actor.contract_ids is not None else None


def _id_at(moment: datetime, later: timedelta) -> str:
    """The first identifier of a delivery that a process could make so much later than this moment, which may be any."""
    milliseconds = min(max(int((moment.timestamp() + later.total_seconds()) * 1000), 0), 2**48 - 1)
    return f"{IdKind.DELIVERY}_{ids.encode(milliseconds << 80)}"


def _delivery(row: Record) -> DeliveryView:
    return DeliveryView(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        stream_id=row["stream_id"],
        position=row["position"] or None,
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        next_attempt_at=row["next_attempt_at"],
    )


def _attempt(row: Record) -> AttemptView:
    return AttemptView(
        id=row["id"],
        delivery_id=row["delivery_id"],
        trigger=Trigger(row["kind"]) if row["is_first"] else Trigger.RETRY,
        started_at=row["started_at"],
        status=row["status"],
        error=AttemptError(row["error"]) if row["error"] is not None else None,
        address=row["address"],
        dns_ms=row["dns_ms"],
        connect_ms=row["connect_ms"],
        first_byte_ms=row["first_byte_ms"],
        total_ms=row["total_ms"],
        answer=row["excerpt"] or b"",
        is_late=row["is_late"],
    )


def _replay(row: Record) -> ReplayView:
    return ReplayView(
        id=row["id"],
        endpoint_id=row["endpoint_id"],
        after_position=row["after_position"],
        looked_until_position=min(row["next_position"] - 1, row["until_position"]),
        until_position=row["until_position"],
        deliveries=row["deliveries"],
        is_over=row["due_at"] is None,
        created_at=row["created_at"],
    )


_DELIVERY: Final = """found.id, found.endpoint_id, found.event_id, found.event_type, found.stream_id, found.position, found.kind,
    found.state, found.created_at, found.finished_at, waiting.due_at AS next_attempt_at"""

# Only the first delivery of its lane that is not final has a next attempt; under a lease it is being attempted.
_WAITING: Final = """
LEFT JOIN LATERAL (
    SELECT lane.due_at FROM lanes AS lane
    WHERE found.state = 'PENDING' AND lane.endpoint_id = found.endpoint_id AND lane.lane = found.lane AND lane.token IS NULL
        AND NOT EXISTS (SELECT FROM deliveries AS earlier WHERE earlier.endpoint_id = found.endpoint_id
            AND earlier.lane = found.lane AND earlier.position > lane.done AND earlier.position < found.position)
        AND EXISTS (SELECT FROM endpoints WHERE id = found.endpoint_id AND disabled_at IS NULL AND deleted_at IS NULL)
    OFFSET 0
) AS waiting ON true"""

_OWN: Final = """
own AS (
    SELECT id FROM endpoints WHERE account_id = $1 AND ($3::text IS NULL OR id = $3)
    UNION SELECT id FROM endpoints WHERE $2::boolean AND id = $3
)"""

_FITS: Final = """(
    ($7::text[] IS NULL OR delivery.stream_id = ANY ($7)) AND ($8::text[] IS NULL OR delivery.state = ANY ($8))
    AND ($9::text[] IS NULL OR delivery.event_type = ANY ($9))
    AND ($10::timestamptz IS NULL OR delivery.created_at >= $10) AND ($11::timestamptz IS NULL OR delivery.created_at < $11))"""

_BY_ENDPOINT: Final = f"""
WITH {_OWN}, share AS (
    SELECT greatest($12::bigint / greatest(count(*), 1), $6::bigint) AS size, $12::bigint > $6::bigint AS ends FROM own
), found AS (
    SELECT scanned.* FROM own CROSS JOIN LATERAL (
        SELECT * FROM (
            SELECT delivery.*, {_FITS} AS fits,
                share.ends AND row_number() OVER (ORDER BY delivery.id DESC) = share.size AS is_horizon
            FROM (SELECT * FROM deliveries WHERE endpoint_id = own.id AND id < $4 AND id > $5 ORDER BY id DESC
                LIMIT (SELECT size FROM share)) AS delivery, share
        ) AS looked_at WHERE fits OR is_horizon ORDER BY id DESC LIMIT $6
    ) AS scanned
)
SELECT {_DELIVERY}, found.fits, found.is_horizon FROM found {_WAITING} ORDER BY found.id DESC
"""

_BY_EVENT: Final = f"""
WITH {_OWN}, asked AS (
    SELECT $12::text AS event_id WHERE $12 IS NOT NULL
    UNION ALL SELECT id FROM events WHERE $12 IS NULL AND stream_id = $13
), found AS (
    SELECT delivery.* FROM asked CROSS JOIN LATERAL (
        SELECT * FROM deliveries WHERE event_id = asked.event_id AND id < $4 AND id > $5 OFFSET 0
    ) AS delivery
    WHERE delivery.endpoint_id IN (SELECT id FROM own) AND ($13::text IS NULL OR delivery.stream_id = $13) AND {_FITS}
    ORDER BY delivery.id DESC LIMIT $6
)
SELECT {_DELIVERY}, true AS fits, false AS is_horizon FROM found {_WAITING} ORDER BY found.id DESC
"""

_SEEN: Final = """
EXISTS (SELECT FROM endpoints WHERE id = found.endpoint_id AND (account_id = $1 OR $2::boolean))
    AND ($3::text[] IS NULL OR found.stream_id = ANY ($3))"""

_BY_ID: Final = f"""
SELECT {_DELIVERY} FROM deliveries AS found {_WAITING} WHERE found.id = ANY ($4::text[]) AND {_SEEN}
"""

_OF_EVENTS: Final = f"""
SELECT {_DELIVERY} FROM unnest($3::text[]) AS asked (event_id) CROSS JOIN LATERAL (
    SELECT delivery.* FROM deliveries AS delivery
    WHERE delivery.event_id = asked.event_id AND delivery.id > $5 AND ($2::text[] IS NULL OR delivery.stream_id = ANY ($2))
        AND EXISTS (SELECT FROM endpoints WHERE id = delivery.endpoint_id AND account_id = $1)
    ORDER BY delivery.id LIMIT $4
) AS found {_WAITING} ORDER BY found.event_id, found.id
"""

_ATTEMPT: Final = """attempt.id, attempt.delivery_id, attempt.started_at, attempt.status, attempt.error, attempt.address,
    attempt.dns_ms, attempt.connect_ms, attempt.first_byte_ms, attempt.total_ms, attempt.excerpt, attempt.is_late, found.kind,
    NOT EXISTS (SELECT FROM delivery_attempts AS earlier WHERE earlier.delivery_id = attempt.delivery_id
        AND earlier.id < attempt.id) AS is_first"""

_ATTEMPTS: Final = f"""
SELECT {_ATTEMPT} FROM unnest($1::text[]) AS asked (delivery_id)
CROSS JOIN LATERAL (SELECT kind FROM deliveries WHERE id = asked.delivery_id OFFSET 0) AS found
CROSS JOIN LATERAL (
    SELECT * FROM delivery_attempts WHERE delivery_id = asked.delivery_id AND id > $3 ORDER BY id LIMIT $2
) AS attempt ORDER BY attempt.delivery_id, attempt.id
"""

_ATTEMPTS_BY_ID: Final = f"""
SELECT {_ATTEMPT} FROM delivery_attempts AS attempt JOIN deliveries AS found ON found.id = attempt.delivery_id
WHERE attempt.id = ANY ($4::text[]) AND {_SEEN}
"""

_REPLAYS_BY_ID: Final = """
SELECT replay.* FROM replays AS replay JOIN endpoints AS endpoint ON endpoint.id = replay.endpoint_id
WHERE replay.id = ANY ($4::text[]) AND (endpoint.account_id = $1 OR $2::boolean)
    AND ($3::text[] IS NULL OR endpoint.contract_ids <@ $3)
"""
