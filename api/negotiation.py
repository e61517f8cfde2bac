"""Chooses the media type of an answer by the `Accept` header, with q-values and specificity as in RFC 9110.

GraphQL over HTTP knows two: the old `application/json`, in which every well-formed request is answered with 200, and
`application/graphql-response+json`, in which the status tells whether the operation ran. `text/event-stream` is for answers
that go on: clients of the field name it beside JSON on every request, so a query is streamed only if they rather have it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

JSON: Final = "application/json"
GRAPHQL: Final = "application/graphql-response+json"
EVENT_STREAM: Final = "text/event-stream"
HTML: Final = "text/html"


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


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a client takes: JSON as `json`, an event stream, or both."""

    json: str | None
    streams: bool
    prefers_streams: bool
    """Whether an event stream is named more exactly or with more quality than any JSON."""

    def media_type(self, *, goes_on: bool) -> str:
        """What to answer an operation with; `goes_on` for a subscription, which JSON can't answer."""
        if self.streams and (goes_on or self.prefers_streams):
            return EVENT_STREAM
        return self.json or EVENT_STREAM

    @property
    def refusals(self) -> str:
        """The media type of an answer to a request that never became an operation."""
        return self.json or JSON


def choose(accept: str | None) -> Accepted | None:
    """What may be answered with; `None` if the client takes nothing of it.

    Without a header, and where wildcards leave it open, `application/json`; where both kinds of JSON are named alike, the newer
    one. An event stream must be named.
    """
    if accept is None or not accept.strip():
        return Accepted(JSON, streams=False, prefers_streams=False)
    ranges = [found for entry in _split(accept, ",") if (found := _range(entry)) is not None]
    liking = {media_type: _liking(media_type, ranges) for media_type in (JSON, GRAPHQL, EVENT_STREAM)}
    json = max((JSON, GRAPHQL), key=lambda one: (*liking[one], (one == GRAPHQL) == (liking[one][1] == 2)))
    quality, exactness = liking[EVENT_STREAM]
    streams = quality > 0 and exactness == 2
    if not liking[json][0]:
        return Accepted(None, streams=True, prefers_streams=True) if streams else None
    return Accepted(json, streams=streams, prefers_streams=streams and liking[EVENT_STREAM] > liking[json])


def prefers_a_page(accept: str) -> bool:
    """Whether it is a browser that shows somebody what it gets: it names HTML, and nothing of ours more gladly."""
    ranges = [found for entry in _split(accept, ",") if (found := _range(entry)) is not None]
    quality, exactness = _liking(HTML, ranges)
    ours = (_liking(media_type, ranges) for media_type in (JSON, GRAPHQL, EVENT_STREAM))
    return exactness == 2 and quality > 0 and all((quality, exactness) > liking for liking in ours)


def _liking(media_type: str, ranges: list[_Range]) -> tuple[float, int]:
    """How gladly a media type is taken: the quality of the entry that names it most exactly, and how exactly that is."""
    matches = [(exact, one.quality) for one in ranges if (exact := one.specificity(media_type)) is not None]
    exactness, quality = max(matches, default=(-1, 0.0))
    return quality, exactness


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
