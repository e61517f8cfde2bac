"""Writes and reads the event log: canonical bytes, the hash chain of each stream, and one order over all streams.

An event is stored as the very text that was hashed (RFC 8785). People's words stay out of it: it holds salted hashes, and
the words stand beside it in `texts`, where they can be erased. `append_sql` is the part of a command's one write that
appends, to the log and its outbox; `sequence` gives committed events their dense positions, and every reader reads by position.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import orjson

from escrow import bookmarks, codec, cuts, database, ids, traces
from escrow.access import Actor, ActorKind
from escrow.accounts import events as account_events
from escrow.agreement import events as contract_events
from escrow.agreement.events import Event, Recorded

CATALOGUE: Final[Mapping[tuple[str, int], type[Event]]] = contract_events.CATALOGUE | account_events.CATALOGUE
"""Every event that this release can write and fold, by type and schema version."""

KNOWN: Final = ([kind for kind, _ in CATALOGUE], [version for _, version in CATALOGUE])
"""The keys of the catalogue as two arrays."""

READABLE: Final = ",".join(f"{kind} {version}" for kind, version in CATALOGUE)
"""The same as one text, for statements that look for events which this release can't fold: drivers take long for arrays."""

VOCABULARY: Final = hashlib.sha256("\n".join(f"{kind} {v}" for kind, v in sorted(CATALOGUE)).encode()).hexdigest()
"""A digest of the catalogue; `migrate` keeps that of every type which some release may have written."""

SALT_BYTES: Final = 16

BATCH_EVENTS: Final = 500
"""Events that get their positions in one transaction: enough for throughput, few enough for a short lock."""


class UnknownEvent(Exception):
    """The log holds an event that only a later release can read; this one neither folds it nor writes after it."""


@dataclass(frozen=True, slots=True)
class SealedText:
    """A person's words beside an event: canonical JSON of the value, and the salt that went into its hash."""

    field: str
    salt: bytes
    body: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """An event as it is stored for ever, and what it was made from."""

    id: str
    stream_id: str
    sequence: int
    body: str
    hash: str
    previous_hash: str | None
    texts: tuple[SealedText, ...]
    recorded: Recorded

    @property
    def type(self) -> str:
        return self.recorded.event.type

    @property
    def schema_version(self) -> int:
        return self.recorded.event.schema_version


@dataclass(frozen=True, slots=True)
class Entry:
    """An event at its position in the log, as readers get it."""

    position: int
    event_id: str
    stream_id: str
    sequence: int
    type: str
    occurred_at: datetime
    body: str
    hash: str


def seal(stream_id: str, *, version: int, last_hash: str | None, recorded: Sequence[Recorded]) -> list[Sealed]:
    """What follows event `version` of the stream, whose hash is `last_hash` (0 and `None` for a new stream), in order."""
    sealed: list[Sealed] = []
    for one in recorded:
        version += 1
        sealed.append(_seal(stream_id, version, last_hash, one))
        last_hash = sealed[-1].hash
    return sealed


def _seal(stream_id: str, sequence: int, previous_hash: str | None, recorded: Recorded) -> Sealed:
    data, words = codec.encode(recorded.event)
    texts = tuple(
        SealedText(field, secrets.token_bytes(SALT_BYTES), canonical(value)) for field, value in sorted(words.items())
    )
    if texts:
        data["texts"] = {text.field: text_hash(text.salt, text.body) for text in texts}
    texts = tuple(_forgotten(text) if text.field in contract_events.WITHHELD else text for text in texts)
    event_id = ids.new(ids.Kind.EVENT)
    body = body_of(
        recorded, data, event_id=event_id, stream_id=stream_id, sequence=sequence, previous_hash=previous_hash
    )
    return Sealed(event_id, stream_id, sequence, body, event_hash(body), previous_hash, texts, recorded)


def _forgotten(text: SealedText) -> SealedText:
    """What is stored beside an event of a text that the log doesn't keep: nothing that its hash was made of.

    The database marks such a text as erased from the first (`texts_withheld_are_never_kept`).
    """
    return SealedText(text.field, secrets.token_bytes(SALT_BYTES), canonical(None))


def body_of(
    recorded: Recorded, data: codec.Json, *, event_id: str, stream_id: str, sequence: int, previous_hash: str | None
) -> str:
    """The text of an event as it is stored and hashed; `data` is its encoded payload."""
    return canonical(
        {
            "id": event_id,
            "type": recorded.event.type,
            "version": recorded.event.schema_version,
            "occurredAt": codec.print_time(recorded.at),
            "actor": recorded.actor.wire(),
            "stream": stream_id,
            "sequence": sequence,
            "previousHash": previous_hash,
            "data": data,
        }
    )


def canonical(value: codec.Json) -> str:
    """The one text of a JSON value, by RFC 8785, if keys are ASCII and numbers whole, as ours are.

    Fails with `TypeError` for whole numbers beyond 53 bits and for texts that aren't Unicode.
    """
    return orjson.dumps(value, option=_CANONICAL).decode()


_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER


def event_hash(body: str) -> str:
    """The hash of an event: sha256 of its stored text, in hexadecimal."""
    return hashlib.sha256(body.encode()).hexdigest()


def text_hash(salt: bytes, body: str) -> str:
    """What an event holds instead of words: sha256 of the salt and the words' canonical JSON, in hexadecimal."""
    return hashlib.sha256(salt + body.encode()).hexdigest()


def open_(row: Mapping[str, Any], texts: Mapping[str, str | None]) -> Recorded:
    """The inverse of `seal`: a row of `events`, with its texts by field; a text that is `None` was erased.

    Refuses with `UnknownEvent` what only a later release can read.
    """
    stored = json.loads(row["body"])
    event_type = CATALOGUE.get((stored["type"], stored["version"]))
    if event_type is None:
        raise UnknownEvent(f"{stored['id']} is a {stored['type']} of version {stored['version']}: update Earnest")
    words = {field: codec.ERASED if body is None else json.loads(body) for field, body in texts.items()}
    event = codec.decode(event_type, stored["data"], words)
    by = stored["actor"]
    actor = Actor(
        ActorKind(by["kind"]), by.get("account"), by.get("key"), by.get("member"), session_id=by.get("session")
    )
    return Recorded(event, codec.read_time(stored["occurredAt"]), actor)


def append_sql(guard: str, parameter: str) -> str:
    """CTEs that append events to their streams, if the CTE `guard` has the stream's `id`, and let them wait for a position.

    The parameter is `event_rows` as JSON. The order of `log_pending` is that of the sequence.
    """
    return f"""
    logged AS (
        INSERT INTO events (stream_id, id, sequence, type, schema_version, occurred_at, body, hash, previous_hash, trace)
        SELECT event.* FROM {guard} JOIN json_to_recordset({parameter}::json) AS event (
            stream_id text, id text, sequence bigint, type text, schema_version int, occurred_at timestamptz, body text,
            hash text, previous_hash text, trace text) ON event.stream_id = {guard}.id
        RETURNING stream_id, id, sequence
    ), waiting AS (
        INSERT INTO log_pending (stream_id, event_id) SELECT stream_id, id FROM logged ORDER BY sequence
    )"""  # noqa: S608 - only a number of a parameter and the name of a CTE are filled in


def words_sql(parameter: str) -> str:
    """A CTE that keeps the words beside events that `append_sql` appends; the parameter is `text_rows` as JSON."""
    return f"""
    worded AS (
        INSERT INTO texts (stream_id, event_id, field, salt, body)
        SELECT logged.stream_id, word.* FROM logged JOIN json_to_recordset({parameter}::json) AS word (
            event_id text, field text, salt bytea, body text) ON word.event_id = logged.id
    )"""  # noqa: S608 - only a number of a parameter is filled in


def event_rows(sealed: Sequence[Sealed]) -> list[dict[str, object]]:
    """Rows of `events`, with the trace that the present work belongs to."""
    trace = traces.kept()
    return [
        {
            "stream_id": event.stream_id,
            "id": event.id,
            "sequence": event.sequence,
            "type": event.type,
            "schema_version": event.schema_version,
            "occurred_at": event.recorded.at,
            "body": event.body,
            "hash": event.hash,
            "previous_hash": event.previous_hash,
            "trace": trace,
        }
        for event in sealed
    ]


def text_rows(sealed: Sequence[Sealed]) -> list[dict[str, object]]:
    """Rows of `texts`, with salts as PostgreSQL reads bytes."""
    return [
        {"event_id": event.id, "field": text.field, "salt": f"\\x{text.salt.hex()}", "body": text.body}
        for event in sealed
        for text in event.texts
    ]


UNKNOWN_SQL: Final = """CASE WHEN deployment.vocabulary = {vocabulary} THEN false ELSE EXISTS (
    SELECT FROM event_types AS kind
    WHERE kind.type || ' ' || kind.schema_version <> ALL (string_to_array({readable}::text, ','))
    AND EXISTS (
        SELECT FROM events AS event WHERE event.stream_id = {stream}
        AND (event.type, event.schema_version) = (kind.type, kind.schema_version))) END"""
"""Whether a stream has an event that this release can't fold, beside the row of `deployment`. `VOCABULARY` and
`READABLE` are the arguments; where the digests agree, as they do but for the time of an update, nothing else is read."""

LEARN_SQL: Final = """
WITH learnt AS (
    INSERT INTO event_types (type, schema_version) SELECT * FROM unnest($1::text[], $2::int[]) ON CONFLICT DO NOTHING
    RETURNING type, schema_version
), known AS (
    SELECT type, schema_version FROM event_types UNION SELECT type, schema_version FROM learnt
)
UPDATE deployment SET vocabulary = (
    SELECT encode(sha256(string_agg(type || ' ' || schema_version, E'\\n' ORDER BY type, schema_version)::bytea), 'hex')
    FROM known)
"""
"""Makes the event types of this release known to older ones; `KNOWN` are the arguments."""


async def sequence(
    *,
    limit: int = BATCH_EVENTS,
    on_batch: Callable[[database.Connection, list[database.Record]], Awaitable[None]] | None = None,
    beside: str = "NULL",
    on_look: Callable[[], None] | None = None,
) -> int:
    """Give the oldest committed events without a position the next ones, at most `limit`; answers how many it were.

    Positions are dense but for cuts (`escrow.cuts`), never appear out of order, and the times at which they were given, in domain
    time, never go back, nor are they before the events': one transaction, which begins with a lock, and in which `on_batch` runs
    too, with rows of `position, event_id, stream_id, sequence, type`, the parties, and what is looked up `beside` them: an
    expression about a row `placed`. What is committed by the time of `on_look` is seen. Any number may try at once.
    """
    rows: list[database.Record] = []
    try:
        async with database.transaction(lock=cuts.SEQUENCER_LOCK) as connection:
            if on_look is not None:
                on_look()
            rows = await connection.fetch(sequence_sql(beside), limit)
            if rows and on_batch is not None:
                await on_batch(connection, rows)
    except BaseException:  # the answer to its commit may be what was lost
        await bookmarks.may_have_written(_marked(rows))
        raise
    await bookmarks.wrote(_marked(rows))
    return len(rows)


def _marked(rows: Sequence[database.Record]) -> set[str | None]:
    """Whose lists have to have these events, and the log's own mark; nobody's if there are none."""
    return {bookmarks.THE_LOG, *(one for row in rows for one in _readers(row))} if rows else set()


def _readers(row: database.Record) -> tuple[str | None, str | None]:
    """Whose feed an event is in: that of the parties of a contract, or of the account whose stream it is."""
    return row["client_id"] or row["stream_id"], row["freelancer_id"]


@cache
def sequence_sql(beside: str) -> str:
    """The statement that gives positions; `$1` is how many at most."""
    # Looked up by key, row by row: with statistics from an empty table a join would scan.
    return f"""
WITH cut AS ({cuts.CUT_SQL.format(or_declared="")}
), taken AS (
    DELETE FROM log_pending WHERE serial = ANY (ARRAY(SELECT serial FROM log_pending ORDER BY serial LIMIT $1))
    RETURNING serial, event_id, stream_id
), placed AS (
    SELECT greatest((SELECT max(position) FROM log_positions), (SELECT max(first_position) - 1 FROM log_cuts),
               (SELECT first_position - 1 FROM cut)) + row_number() OVER (ORDER BY taken.serial) AS position,
           greatest((SELECT clock_timestamp() + clock_offset FROM deployment),
               (SELECT placed_at FROM log_positions ORDER BY position DESC LIMIT 1), max(event.occurred_at) OVER ()) AS placed_at,
           taken.event_id, event.stream_id, event.sequence, event.type, contract.client_id, contract.freelancer_id
    FROM taken CROSS JOIN LATERAL (
        SELECT stream_id, sequence, type, occurred_at FROM events
        WHERE stream_id = taken.stream_id AND id = taken.event_id OFFSET 0) AS event
    LEFT JOIN LATERAL (
        SELECT client_id, freelancer_id FROM contracts WHERE id = event.stream_id OFFSET 0) AS contract ON true
), written AS (
    INSERT INTO log_positions (position, event_id, stream_id, client_id, freelancer_id, placed_at)
    SELECT position, event_id, stream_id, client_id, freelancer_id, placed_at FROM placed ORDER BY position
)
SELECT position, event_id, stream_id, sequence, type, client_id, freelancer_id, {beside} AS beside
FROM placed ORDER BY position
"""  # noqa: S608 - our own text


async def read(*, after: int, limit: int = 100, stream_ids: Sequence[str] | None = None) -> list[Entry]:
    """The log after a position, in its order: of everything, or of some streams only.

    `after=0` is the beginning; the position of the last entry is the cursor from which to go on.
    """
    if stream_ids is None:
        rows = await database.fetch(_READ.format(where=""), after, limit)
    else:
        rows = await database.fetch(_READ.format(where="AND placed.stream_id = ANY ($3)"), after, limit, stream_ids)
    return [Entry(**row) for row in rows]


_READ: Final = """
SELECT placed.position, event.id AS event_id, event.stream_id, event.sequence, event.type, event.occurred_at,
       event.body, event.hash
FROM (
    SELECT position, event_id, stream_id FROM log_positions AS placed
    WHERE position > $1 {where} ORDER BY position LIMIT $2
) AS placed CROSS JOIN LATERAL (
    SELECT * FROM events WHERE stream_id = placed.stream_id AND id = placed.event_id OFFSET 0) AS event
ORDER BY placed.position
"""


async def last_position() -> int:
    """The position of the last event that has one: a reader that starts from it gets what comes from now on."""
    position: int = await database.fetch_value("SELECT coalesce(max(position), 0) FROM log_positions")
    return position


async def positions_of(event_ids: Sequence[str]) -> dict[str, int]:
    """The positions of those of the events that have one, by identifier; one statement."""
    rows = await database.fetch(_POSITIONS, event_ids)
    return {row["event_id"]: row["position"] for row in rows}


_POSITIONS: Final = f"""
SELECT event_id, position FROM log_positions WHERE event_id = ANY ({database.unseen("$1::text[]")})
"""  # noqa: S608 - our own text


async def waiting() -> int:
    """How many committed events wait for their position, counted up to 10,000: the sequencer's lag."""
    count: int = await database.fetch_value("SELECT count(*) FROM (SELECT FROM log_pending LIMIT 10000) AS pending")
    return count


async def texts_of(event_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The words beside events that readers are shown, by event and field, as JSON values; erased ones are `None`."""
    rows = await database.fetch(_TEXTS, event_ids)
    found: dict[str, dict[str, Any]] = {event_id: {} for event_id in event_ids}
    for row in rows:
        if row["field"] in contract_events.WITHHELD:
            continue
        found[row["event_id"]][row["field"]] = None if row["body"] is None else json.loads(row["body"])
    return found


_TEXTS: Final = f"""
SELECT event_id, field, body FROM texts WHERE event_id = ANY ({database.unseen("$1::text[]")})
"""  # noqa: S608 - our own text
