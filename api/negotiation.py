"""Chooses the media type of an answer by the `Accept` header, with q-values and specificity as in RFC 9110.

GraphQL over HTTP knows two: the old `application/json`, in which every well-formed request is answered with 200, and
`application/graphql-response+json`, in which the status tells whether the operation ran. `text/event-stream` is for whoever
names it: answers that go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class _Range:
    """One entry of an `Accept` header."""

    type: str
    quality: float

    def specificity(self, media_type: str) -> int | None:
        """How exactly it names this media type: 2 exactly, 1 as `application/*`, 0 as `*/*`; `None` not at all."""
        if self.type == media_type:
            return 2
        if self.type == media_type.partition("/")[0] + "/*":
            return 1
        return 0 if self.type == "*/*" else None


def choose(accept: str | None) -> str | None:
    """The media type to answer with; `None` if the client takes neither.

    Without a header, and where wildcards leave it open, `application/json`; where both are named alike, the newer one. An
    event stream must be named, and wins where it is named alike.
    """
    if accept is None or not accept.strip():
        return JSON
    ranges = [found for entry in _split(accept, ",") if (found := _range(entry)) is not None]
    best: tuple[float, int, int] = (0.0, -1, -1)
    chosen = None
    for media_type in (JSON, GRAPHQL, EVENT_STREAM):
        matches = [(exact, one.quality) for one in ranges if (exact := one.specificity(media_type)) is not None]
        if not matches:
            continue
        exactness, quality = max(matches)
        if media_type == EVENT_STREAM and exactness < 2:
            continue
        preference = 1 if (media_type == GRAPHQL) == (exactness == 2) else 0
        preference = 2 if media_type == EVENT_STREAM else preference
        if quality > 0 and (quality, exactness, preference) > best:
            best, chosen = (quality, exactness, preference), media_type
    return chosen


def parse_content_type(value: str) -> tuple[str, str | None]:
    """A `Content-Type` as its media type and its charset, both in lower case."""
    media_type, *parameters = _split(value, ";")
    charset = None
    for parameter in parameters:
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = given.strip().strip('"').lower()
    return media_type.strip().lower(), charset


def _range(entry: str) -> _Range | None:
    """An entry such as `application/json;charset=utf-8;q=0.5`; one in another charset than UTF-8 is never met."""
    media_type, *parameters = (part.strip().lower() for part in _split(entry, ";"))
    quality = 1.0
    for parameter in parameters:
        name, _, value = (part.strip().strip('"') for part in parameter.partition("="))
        if name == "q":
            quality = _quality(value)
        elif name == "charset" and value not in ("utf-8", "utf8"):
            return None
    return _Range(media_type, quality) if "/" in media_type else None


def _quality(value: str) -> float:
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0.0 <= quality <= 1.0 else 0.0


def _split(value: str, separator: str) -> list[str]:
    """Split outside of quoted strings."""
    parts, start, quoted = [], 0, False
    for index, character in enumerate(value):
        if character == '"':
            quoted = not quoted
        elif character == separator and not quoted:
            parts.append(value[start:index])
            start = index + 1
    return [*parts, value[start:]]
