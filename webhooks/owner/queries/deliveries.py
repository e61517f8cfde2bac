"""Finds deliveries for whoever may see them: by the page, by identifier, and where each event went; one statement for each."""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final

from escrow import database, ids
from escrow.access import Actor, ActorKind
from escrow.database import Record
from escrow.ids import Kind as IdKind
from escrow.queries import counts
from escrow.queries.counts import Counted
from webhooks.delivery.lanes import Kind, State
from webhooks.owner.queries.viewers import SEEN_SQL, limited_to, viewer

SCANNED_MAX: Final = 20_000
"""Deliveries that one page looks at, shared among the endpoints: what is rare among millions is found by turning pages, and no
question keeps the database busy for long."""

_ID_MAX: Final = f"{IdKind.DELIVERY}_{ids.encode(2**128 - 1)}"


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
    """At most as many deliveries as asked for, in the order of the look. `looked_until` is the last one that was looked at, if
    the look ended before the page was full: a next page goes on from there."""

    found: tuple[DeliveryView, ...]
    looked_until: str | None = None


async def deliveries_page(
    actor: Actor, narrowing: Narrowing, *, limit: int, after: str | None, backwards: bool = False
) -> DeliveryPage:
    """Deliveries that the actor may see, newest first, those after the id `after`; one statement.

    `backwards` turns the order round: the oldest first, those before the id.
    """
    rows = await database.fetch(*_page(actor, narrowing, limit=limit, place=after, oldest_first=backwards))
    ends = [row["id"] for row in rows if row["is_horizon"]]
    horizon = (min if backwards else max)(ends, default=None)
    found = [row for row in rows if row["fits"] and _is_within(row["id"], horizon, oldest_first=backwards)][:limit]
    return DeliveryPage(tuple(map(_delivery, found)), horizon if len(found) < limit else None)


async def deliveries_counted(actor: Actor, narrowing: Narrowing) -> Counted:
    """How many deliveries such a list has, of the newest that a page looks at; one statement."""
    enough = counts.COUNTED_MAX + 1
    if narrowing.is_by_event:
        return await counts.counted(*_page(actor, narrowing, limit=enough, place=None, oldest_first=False))
    is_shared = _leaves_out(actor, narrowing)
    statement = _COUNTED.bind(
        **_arguments(actor, narrowing, None, oldest_first=False),
        enough=enough,
        scanned_max=SCANNED_MAX if is_shared else enough,
        is_shared=is_shared,
    )
    ((fitting, is_cut),) = await database.fetch(*statement)
    found = counts.bounded(fitting)
    return Counted(found.entries, found.has_more or is_cut)


def _page(
    actor: Actor, narrowing: Narrowing, *, limit: int, place: str | None, oldest_first: bool
) -> tuple[str, *tuple[object, ...]]:
    """The statement for a page, and its arguments."""
    given = _arguments(actor, narrowing, place, oldest_first=oldest_first) | {"page_size": limit}
    if narrowing.is_by_event:
        by_event = {"event_id": narrowing.event_id, "stream_id": narrowing.contract_id}
        return _by_event(oldest_first=oldest_first).bind(**given, **by_event)
    scanned_max = SCANNED_MAX if _leaves_out(actor, narrowing) else limit
    return _by_endpoint(oldest_first=oldest_first).bind(**given, scanned_max=scanned_max)


def _is_within(delivery_id: str, horizon: str | None, *, oldest_first: bool) -> bool:
    """Whether each endpoint was looked at until there."""
    if horizon is None:
        return True
    return delivery_id <= horizon if oldest_first else delivery_id >= horizon


def _arguments(actor: Actor, narrowing: Narrowing, place: str | None, *, oldest_first: bool) -> dict[str, object]:
    """What all statements for lists are given."""
    since, before = narrowing.created_after, narrowing.created_before
    low = ids.first_at(IdKind.DELIVERY, since, -ids.CLOCKS_APART) if since is not None else ""
    high = ids.first_at(IdKind.DELIVERY, before, ids.CLOCKS_APART) if before is not None else _ID_MAX
    if place is not None:
        low, high = (max(low, place), high) if oldest_first else (low, min(high, place))
    return {
        "account_id": actor.account_id,
        "names_any": actor.kind is ActorKind.OPERATOR and narrowing.endpoint_id is not None,
        "endpoint_id": narrowing.endpoint_id,
        "before_id": high,
        "after_id": low,
        "contract_ids": limited_to(actor),
        "states": sorted(narrowing.states) if narrowing.states is not None else None,
        "event_types": sorted(narrowing.event_types) if narrowing.event_types is not None else None,
        "since": since,
        "before": before,
    }


def _leaves_out(actor: Actor, narrowing: Narrowing) -> bool:
    """Whether no more than `SCANNED_MAX` deliveries are looked at; else of each endpoint no more than the page where all fit."""
    return narrowing.leaves_out or actor.contract_ids is not None


async def deliveries_by_id(actor: Actor, delivery_ids: Collection[str]) -> dict[str, DeliveryView]:
    """Those of the deliveries that exist and that the actor may see, by identifier; one statement."""
    wanted = [one for one in set(delivery_ids) if ids.is_a(IdKind.DELIVERY, one)]
    rows = await database.fetch(*_BY_ID.bind(**viewer(actor), ids=wanted)) if wanted else []
    return {row["id"]: _delivery(row) for row in rows}


async def deliveries_of_events(
    actor: Actor, event_ids: Collection[str], *, limit: int, after: str | None, backwards: bool = False
) -> dict[str, list[DeliveryView]]:
    """Where each of these events was delivered to, of the actor's own endpoints alone: at most `limit` deliveries in order of
    their making, those after the id `after`; one statement. `backwards` turns the order round."""
    found: dict[str, list[DeliveryView]] = {}
    statement = _of_events(oldest_first=not backwards).bind(
        **_of_events_arguments(actor, event_ids), page_size=limit, place=after or (_ID_MAX if backwards else "")
    )
    for row in await database.fetch(*statement):
        found.setdefault(row["event_id"], []).append(_delivery(row))
    return found


async def deliveries_of_events_counted(actor: Actor, event_ids: Collection[str]) -> dict[str, Counted]:
    """How many of these deliveries each event has; one statement."""
    rows = await database.fetch(
        *_OF_EVENTS_COUNTED.bind(**_of_events_arguments(actor, event_ids), enough=counts.COUNTED_MAX + 1)
    )
    return {row["event_id"]: counts.bounded(row["total"]) for row in rows}


def _of_events_arguments(actor: Actor, event_ids: Collection[str]) -> dict[str, object]:
    return {
        "account_id": actor.account_id,
        "contract_ids": limited_to(actor),
        "event_ids": sorted(set(event_ids)),
    }


def _delivery(row: Record) -> DeliveryView:
    return database.filled(
        DeliveryView, row, position=row["position"] or None, kind=Kind(row["kind"]), state=State(row["state"])
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
    SELECT id FROM endpoints WHERE account_id = :account_id AND (:endpoint_id::text IS NULL OR id = :endpoint_id)
    UNION SELECT id FROM endpoints WHERE :names_any::boolean AND id = :endpoint_id
)"""

_FITS: Final = """(
    (:contract_ids::text[] IS NULL OR delivery.stream_id = ANY (:contract_ids))
    AND (:states::text[] IS NULL OR delivery.state = ANY (:states))
    AND (:event_types::text[] IS NULL OR delivery.event_type = ANY (:event_types))
    AND (:since::timestamptz IS NULL OR delivery.created_at >= :since)
    AND (:before::timestamptz IS NULL OR delivery.created_at < :before))"""


def _directions(*, oldest_first: bool) -> tuple[str, str]:
    """The sign of what lies further on, and the order."""
    return (">", "ASC") if oldest_first else ("<", "DESC")


_LOOKED_AT: Final = "SELECT * FROM deliveries WHERE endpoint_id = own.id AND id < :before_id AND id > :after_id"


@cache
def _by_endpoint(*, oldest_first: bool) -> database.Statement:
    _, order = _directions(oldest_first=oldest_first)
    return database.Statement(f"""
    WITH {_OWN}, share AS (
        SELECT greatest(:scanned_max::bigint / greatest(count(*), 1), :page_size::bigint) AS size,
            :scanned_max::bigint > :page_size::bigint AS ends FROM own
    ), found AS (
        SELECT scanned.* FROM own CROSS JOIN LATERAL (
            SELECT * FROM (
                SELECT delivery.*, {_FITS} AS fits,
                    share.ends AND row_number() OVER (ORDER BY delivery.id {order}) = share.size AS is_horizon
                FROM ({_LOOKED_AT} ORDER BY id {order} LIMIT (SELECT size FROM share)) AS delivery, share
            ) AS looked_at WHERE fits OR is_horizon ORDER BY id {order} LIMIT :page_size
        ) AS scanned
    )
    SELECT {_DELIVERY}, found.fits, found.is_horizon FROM found {_WAITING} ORDER BY found.id {order}
    """)


# One more of each endpoint than is looked at tells whether there is more.
_COUNTED: Final = database.Statement(f"""
WITH {_OWN}, share AS (
    SELECT greatest(:scanned_max::bigint / CASE WHEN :is_shared::boolean THEN greatest(count(*), 1) ELSE 1 END, 1) AS size
    FROM own
), found AS (
    SELECT scanned.* FROM own CROSS JOIN LATERAL (
        SELECT {_FITS} AS fits, row_number() OVER (ORDER BY delivery.id DESC) > share.size AS is_beyond
        FROM ({_LOOKED_AT} ORDER BY id DESC LIMIT (SELECT size + 1 FROM share)) AS delivery, share
    ) AS scanned WHERE fits OR is_beyond LIMIT :enough
)
SELECT count(*) FILTER (WHERE fits AND NOT is_beyond) AS fitting, coalesce(bool_or(is_beyond), false) AS is_cut FROM found
""")


@cache
def _by_event(*, oldest_first: bool) -> database.Statement:
    _, order = _directions(oldest_first=oldest_first)
    return database.Statement(f"""
    WITH {_OWN}, asked AS (
        SELECT :event_id::text AS event_id WHERE :event_id IS NOT NULL
        UNION ALL SELECT id FROM events WHERE :event_id IS NULL AND stream_id = :stream_id
    ), found AS (
        SELECT delivery.* FROM asked CROSS JOIN LATERAL (
            SELECT * FROM deliveries WHERE event_id = asked.event_id AND id < :before_id AND id > :after_id OFFSET 0
        ) AS delivery
        WHERE delivery.endpoint_id IN (SELECT id FROM own) AND (:stream_id::text IS NULL OR delivery.stream_id = :stream_id)
            AND {_FITS}
        ORDER BY delivery.id {order} LIMIT :page_size
    )
    SELECT {_DELIVERY}, true AS fits, false AS is_horizon FROM found {_WAITING} ORDER BY found.id {order}
    """)


_BY_ID: Final = database.Statement(f"""
SELECT {_DELIVERY} FROM deliveries AS found {_WAITING} WHERE found.id = ANY (:ids::text[]) AND {SEEN_SQL}
""")

_OWN_OF_EVENT: Final = """
delivery.event_id = asked.event_id AND (:contract_ids::text[] IS NULL OR delivery.stream_id = ANY (:contract_ids))
    AND EXISTS (SELECT FROM endpoints WHERE id = delivery.endpoint_id AND account_id = :account_id)"""


@cache
def _of_events(*, oldest_first: bool) -> database.Statement:
    further, order = _directions(oldest_first=oldest_first)
    return database.Statement(f"""
    SELECT {_DELIVERY} FROM unnest(:event_ids::text[]) AS asked (event_id) CROSS JOIN LATERAL (
        SELECT delivery.* FROM deliveries AS delivery WHERE {_OWN_OF_EVENT} AND delivery.id {further} :place
        ORDER BY delivery.id {order} LIMIT :page_size
    ) AS found {_WAITING} ORDER BY found.event_id, found.id {order}
    """)


_OF_EVENTS_COUNTED: Final = database.Statement(f"""
SELECT asked.event_id, (SELECT count(*) FROM (
    SELECT FROM deliveries AS delivery WHERE {_OWN_OF_EVENT} LIMIT :enough) AS counted) AS total
FROM unnest(:event_ids::text[]) AS asked (event_id)
""")
