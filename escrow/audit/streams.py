"""Audits a stream as such, whatever it is about: bytes, hashes, chain, sequence, words, and places in the log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import rfc8785

from escrow import codec, database, log
from escrow.agreement.events import Recorded
from escrow.audit.differences import Difference, Row, compare_row

S = TypeVar("S")


@dataclass(slots=True)
class Stream:
    """The events of one stream in order, each with the rows of its words by field."""

    id: str
    events: list[Row] = field(default_factory=list)
    texts: dict[str, dict[str, Row]] = field(default_factory=dict)


async def load(stream_ids: Sequence[str]) -> dict[str, Stream]:
    """The streams with their words and their places in the log, as the transaction's snapshot has them."""
    streams = {stream_id: Stream(stream_id) for stream_id in stream_ids}
    for row in await database.fetch(_EVENTS, stream_ids):
        streams[row["stream_id"]].events.append(dict(row))
    for row in await database.fetch(_TEXTS, stream_ids):
        streams[row["stream_id"]].texts.setdefault(row["event_id"], {})[row["field"]] = dict(row)
    return streams


_EVENTS: Final = """
SELECT event.*, place.position, place.stream_id AS placed_in, pending.serial
FROM events AS event
LEFT JOIN log_positions AS place ON place.event_id = event.id
LEFT JOIN log_pending AS pending ON (pending.stream_id, pending.event_id) = (event.stream_id, event.id)
WHERE event.stream_id = ANY ($1) ORDER BY event.stream_id, event.sequence
"""

_TEXTS: Final = """
SELECT texts.* FROM events AS event JOIN texts ON (texts.stream_id, texts.event_id) = (event.stream_id, event.id)
WHERE event.stream_id = ANY ($1)
"""


def check_chain(stream: Stream, row: Row) -> Iterator[Difference]:
    """What is wrong with the stream itself, and with the last link that its contract or account (`row`) holds."""
    sequence, last_hash, position, serial = 0, None, 0, 0
    for event in stream.events:
        yield from _check_event(event, sequence + 1, last_hash)
        yield from _check_texts(event, stream.texts.get(event["id"], {}))
        yield from _check_place(event, position, serial)
        sequence, last_hash = event["sequence"], event["hash"]
        position, serial = event["position"] or position, event["serial"] or serial
    last_at = stream.events[-1]["occurred_at"] if stream.events else None
    expected = {"version": sequence, "last_hash": last_hash, "last_event_at": last_at}
    yield from compare_row("last link", stream.id, expected, row)


def _check_event(event: Row, sequence: int, last_hash: str | None) -> Iterator[Difference]:
    subject = event["id"]
    if event["sequence"] != sequence:
        yield Difference(event["stream_id"], "sequence", sequence, event["sequence"])
    if event["previous_hash"] != last_hash:
        yield Difference(subject, "previous hash", last_hash, event["previous_hash"])
    if (digest := log.event_hash(event["body"])) != event["hash"]:
        yield Difference(subject, "hash of the body", event["hash"], digest)
    body = _parsed(event["body"])
    if body is None or _canonical(body) != event["body"]:
        yield Difference(subject, "body", "canonical JSON", event["body"][:200])
        return
    said = {
        "id": subject,
        "type": event["type"],
        "version": event["schema_version"],
        "occurredAt": codec.print_time(event["occurred_at"]),
        "stream": event["stream_id"],
        "sequence": event["sequence"],
        "previousHash": event["previous_hash"],
    }
    for name, value in said.items():
        if body.get(name) != value:
            yield Difference(subject, f"{name} in the body", value, body.get(name))


def _parsed(body: str) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _canonical(body: dict[str, Any]) -> str | None:
    """By another implementation than the one that wrote it."""
    try:
        return rfc8785.dumps(body).decode()
    except (ValueError, TypeError):
        return None


def _check_texts(event: Row, texts: dict[str, Row]) -> Iterator[Difference]:
    """The words beside an event against the salted hashes in it; erased ones only have to be known to be erased."""
    data = (_parsed(event["body"]) or {}).get("data")
    hashes = data.get("texts", {}) if isinstance(data, dict) else {}
    if hashes.keys() != texts.keys():
        yield Difference(event["id"], "texts", sorted(hashes), sorted(texts))
    for name in sorted(hashes.keys() & texts.keys()):
        text = texts[name]
        if text["erased_at"] is None and log.text_hash(text["salt"], text["body"]) != hashes[name]:
            yield Difference(event["id"], f"text {name}", hashes[name], log.text_hash(text["salt"], text["body"]))


def _check_place(event: Row, position: int, serial: int) -> Iterator[Difference]:
    """One place for each event: in the log, in the stream's order, or waiting for it."""
    places = [place for place in (event["position"], event["serial"]) if place is not None]
    if len(places) != 1:
        yield Difference(event["id"], "places in the log, or waiting for one", 1, len(places))
    if event["position"] is not None:
        if event["position"] <= position or serial:
            yield Difference(
                event["id"], "position", f"after those of the events before ({position})", event["position"]
            )
        if event["placed_in"] != event["stream_id"]:
            yield Difference(event["id"], "log_positions.stream_id", event["stream_id"], event["placed_in"])
    elif event["serial"] is not None and event["serial"] <= serial:
        yield Difference(event["id"], "place among the waiting", f"after {serial}", event["serial"])


def fold(stream: Stream, evolve: Callable[[S | None, str, Recorded], S]) -> tuple[S | None, list[Recorded]]:
    """The state that the stream's events give, and the events read. Fails with `Unfoldable` where they give none."""
    state: S | None = None
    recorded: list[Recorded] = []
    for event in stream.events:
        texts = {name: text["body"] for name, text in stream.texts.get(event["id"], {}).items()}
        try:
            one = log.open_(event, texts)
            state = evolve(state, stream.id, one)
        except Exception as error:
            raise Unfoldable(event["id"], error) from error
        recorded.append(one)
    return state, recorded


class Unfoldable(Exception):
    """An event that can't be read, or that makes no sense after those before it."""

    def __init__(self, event_id: str, error: Exception) -> None:
        super().__init__(f"{event_id}: {error!r}")
        self.event_id = event_id
        self.error = error

    def difference(self) -> Difference:
        return Difference(self.event_id, "fold", "an event that makes sense here", repr(self.error))
