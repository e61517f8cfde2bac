"""Builds the body of a webhook: the stored event, byte for byte, and beside it what a receiver needs to use it.

Pure, and the same bytes for every attempt. A body stays below 20 kB: where texts would make it longer the largest are left
out, and named, so that the receiver can ask the API for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from escrow.agreement.events import WITHHELD
from escrow.cursors import print_cursor

BODY_BYTES_MAX: Final = 20_000
"""A body is shorter than this. An event has at most 16,384 bytes, and what stands around it a few hundred."""


@dataclass(frozen=True, slots=True)
class TextBeside:
    """A person's words beside an event as the table `texts` has them: canonical JSON and salt, both `None` once erased."""

    salt: bytes | None
    body: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryMark:
    """What a delivery says of itself."""

    is_replay: bool = False
    """Whether its owner asked for it to be sent once more, or late."""
    previous_failed: str | None = None
    """The event of the delivery before it in the same lane, if that one was given up."""
    is_test: bool = False
    """Whether the event never happened, and has no place in the log."""
    is_logged: bool = True
    """Whether it has a place in the log, if it is no test."""


NO_MARK: Final = DeliveryMark()


def body(
    *, api_version: str, position: int, event_body: str, texts: Mapping[str, TextBeside], mark: DeliveryMark = NO_MARK
) -> bytes:
    """The bytes to send. `texts` are those of the event, by field; those that nobody is shown may be among them.

    The event stands in them as it was hashed, so its sha256 can be checked without writing it anew.
    """
    event = orjson.loads(event_body)
    shown = {field: _shown(text) for field, text in sorted(texts.items()) if field not in WITHHELD}
    cursor = print_cursor(position) if mark.is_logged and not mark.is_test else None
    omitted: list[str] = []
    while True:
        whole = _body(event, event_body, api_version, cursor, shown, omitted, mark)
        if len(whole) < BODY_BYTES_MAX or not shown:
            return whole
        # The largest first: usually one description, and everything else still fits.
        largest = max(shown, key=lambda field: (len(shown[field]), field))
        del shown[largest]
        omitted = sorted((*omitted, largest))


def _shown(text: TextBeside) -> bytes:
    """A text as it stands in a payload; `null` once erased."""
    if text.body is None or text.salt is None:
        return b"null"
    return b'{"salt":"' + text.salt.hex().encode() + b'","text":' + text.body.encode() + b"}"


def _body(
    event: Mapping[str, str],
    event_body: str,
    api_version: str,
    cursor: str | None,
    texts: Mapping[str, bytes],
    omitted: list[str],
    mark: DeliveryMark,
) -> bytes:
    """Joined by hand, because the event must stay the text that it is."""
    words = b",".join(orjson.dumps(field) + b":" + text for field, text in texts.items())
    return b"".join(
        (
            b'{"type":', orjson.dumps(event["type"]), b',"timestamp":', orjson.dumps(event["occurredAt"]),
            b',"data":{"apiVersion":', orjson.dumps(api_version), b',"cursor":', orjson.dumps(cursor),
            b',"event":', event_body.encode(), b',"texts":{', words, b"}",
            b',"textsOmitted":' + orjson.dumps(omitted) if omitted else b"",
            b',"replay":', b"true" if mark.is_replay else b"false",
            b',"previousFailed":' + orjson.dumps(mark.previous_failed) if mark.previous_failed else b"",
            b',"test":true' if mark.is_test else b"", b"}}",
        )
    )  # fmt: skip
