"""Proves what the log's hashes can prove: that events are as they were written, in order, with none left out.

Each event names the hash of the one before it in its stream, and sequences have no gaps. What nothing follows yet, the chain
can't vouch for: that needs the stream's head from somebody else, such as `Contract.version` and the last hash of its timeline.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from earnest_client.api import EventFields
from earnest_client.webhooks import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An event as a member of its chain."""

    stream: str
    sequence: int
    type: str
    hash: str
    """The sha256 that was computed here, never what somebody said."""
    previous_hash: str | None
    altered: tuple[str, ...] = ()
    """What of it is not as it was: `hash`, or the names of texts."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.stream} #{self.sequence} ({self.type})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last event of a stream: its sequence and hash."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `problems` is empty if nothing is wrong as far as it can be known."""

    problems: list[str] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    """The last event that was seen of each stream."""
    beginnings: dict[str, int] = field(default_factory=dict)
    """The first sequence that was seen of each stream: what came before it was not looked at."""
    unproven: frozenset[str] = frozenset()
    """Streams of which no head was given: whether something follows what was seen is not known."""

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong in what was seen."""
        return not self.problems


def canonical(value: Any) -> bytes:
    """RFC 8785 for what events are made of: texts, whole numbers, truths, nulls, lists and objects."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def still_so(bodies: Iterable[bytes]) -> list[bytes]:
    """Of the bodies of webhooks those whose events still are so, in whatever order they came: without what a `log.cut` among them
    says never happened, of which the chain knows nothing."""
    told = [(body, json.loads(body)) for body in bodies]
    cuts = [cut for _, one in told if (cut := Webhook(id="", type=one["type"], data=one["data"]).log_cut)]
    return [body for body, one in told if not any(cut.is_void(one["data"].get("cursor")) for cut in cuts)]


def link_of_webhook(body: bytes) -> Link | None:
    """The event of a webhook's body; `None` for a test and a `log.cut`, which stand in no chain."""
    data = json.loads(body)["data"]
    if data.get("test") or data["event"]["sequence"] == 0:
        return None
    event = data["event"]
    salted = {name: (bytes.fromhex(words["salt"]), words["text"]) for name, words in data["texts"].items() if words}
    return _link(event, canonical(event), salted, told_hash=None)


def link_of_event(event: EventFields) -> Link:
    """An event of the API: of a timeline, or of `follow`."""
    salted = {text.field: (base64.b64decode(text.salt), text.value) for text in event.texts if text.salt is not None}
    return _link(json.loads(event.body), event.body.encode(), salted, told_hash=event.hash)


def _link(
    event: Mapping[str, Any], body: bytes, salted: Mapping[str, tuple[bytes, Any]], *, told_hash: str | None
) -> Link:
    digest = hashlib.sha256(body).hexdigest()
    said = event["data"].get("texts", {})
    altered = [
        name
        for name, (salt, text) in salted.items()
        if hashlib.sha256(salt + canonical(text)).hexdigest() != said.get(name)
    ]
    if told_hash not in (None, digest):
        altered.append("hash")
    return Link(
        stream=event["stream"],
        sequence=event["sequence"],
        type=event["type"],
        hash=digest,
        previous_hash=event.get("previousHash"),
        altered=tuple(altered),
    )


def check_chains(links: Iterable[Link | None], heads: Mapping[str, Head] | None = None) -> Report:
    """What is wrong with these events, in whatever order and however often they came.

    `heads` are the last events of streams as the API tells them; a stream without one ends where you saw it end.
    """
    report = Report(unproven=frozenset())
    streams: dict[str, dict[int, Link]] = {}
    for link in links:
        if link is not None:
            report.problems.extend(f"{link.name}: its {part} was altered" for part in link.altered)
            known = streams.setdefault(link.stream, {}).setdefault(link.sequence, link)
            if known.hash != link.hash:
                report.problems.append(f"{link.name}: came twice, and differently")
    for stream, events in streams.items():
        report.problems.extend(_broken(stream, events))
        report.heads[stream] = Head(sequence=max(events), hash=events[max(events)].hash)
        report.beginnings[stream] = min(events)
    for stream, head in (heads or {}).items():
        report.problems.extend(_behind(stream, streams.get(stream, {}), head))
    return Report(report.problems, report.heads, report.beginnings, frozenset(streams) - frozenset(heads or {}))


def _broken(stream: str, events: Mapping[int, Link]) -> Iterable[str]:
    first, last = min(events), max(events)
    if first == 1 and events[1].previous_hash is not None:
        yield f"{events[1].name} was altered: nothing comes before the first"
    for sequence in range(first + 1, last + 1):
        if sequence not in events:
            yield f"{stream} #{sequence} is missing"
        elif sequence - 1 in events and events[sequence].previous_hash != events[sequence - 1].hash:
            yield f"{events[sequence - 1].name} was altered, or the one after it"


def _behind(stream: str, events: Mapping[int, Link], head: Head) -> Iterable[str]:
    """What the head says that isn't so."""
    last = max(events, default=0)
    if last < head.sequence:
        yield f"{stream} goes on to #{head.sequence}, but nothing after #{last} is here"
    elif head.sequence in events and events[head.sequence].hash != head.hash:
        yield f"{events[head.sequence].name} is not what the head says"
