"""Turns events into JSON and back by the types of their fields, and makes each payload's JSON Schema from the same types.

Names become camelCase, money becomes `{"amount": "1250.00", "currency": "USD"}`, times are UTC with microseconds and a
`Z`, dates are ISO 8601, absent values are left out. Fields marked `FREE_TEXT` come out separately, as *texts*.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final, TypeVar, Union

import orjson

from escrow.agreement.events import FreeText
from escrow.money import Money

Json = Any
"""A value made of dicts with text keys, lists, texts, integers, booleans and nulls."""

E = TypeVar("E")

ERASED: Final = object()
"""Stands for a text whose words were erased: the event shows that it was there, nobody knows any more what it said."""

_FIELD_IN_WORDS: Final = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")


@dataclasses.dataclass(frozen=True, slots=True)
class Codec:
    """How values of one type are written, read and described."""

    write: Callable[[Any], Json]
    read: Callable[[Json], Any]
    schema: Json
    empty: Any = None
    """What an erased text reads as."""


@dataclasses.dataclass(frozen=True, slots=True)
class FieldCodec:
    """A payload's field: its name in Python and in JSON, and how its values are coded."""

    name: str
    key: str
    codec: Codec
    optional: bool
    is_text: bool


def encode(event: object) -> tuple[dict[str, Json], dict[str, Json]]:
    """The payload of an event and its texts, by field, both as JSON values."""
    data: dict[str, Json] = {}
    texts: dict[str, Json] = {}
    for field in fields_of(type(event)):
        value = getattr(event, field.name)
        if value is not None:
            (texts if field.is_text else data)[field.key] = field.codec.write(value)
    return data, texts


def decode(event_type: type[E], data: Mapping[str, Json], texts: Mapping[str, Json]) -> E:
    """The event that `encode` took apart; a text given as `ERASED` reads as an empty value of its type."""
    values: dict[str, Any] = {}
    for field in fields_of(event_type):
        written = (texts if field.is_text else data).get(field.key)
        if written is ERASED:
            values[field.name] = field.codec.empty
        elif written is not None:
            values[field.name] = field.codec.read(written)
        elif field.optional:
            values[field.name] = None
        else:
            raise ValueError(f"an event of {event_type.__name__} lacks its “{field.key}”")
    return event_type(**values)


def fields_of(event_type: type[Any]) -> tuple[FieldCodec, ...]:
    """The fields of a payload class, in order of declaration."""
    known = _FIELDS.get(event_type)
    if known is None:
        hints = typing.get_type_hints(event_type, include_extras=True)
        known = tuple(_field(field.name, hints[field.name]) for field in dataclasses.fields(event_type))
        _FIELDS[event_type] = known
    return known


_FIELDS: Final[dict[type[Any], tuple[FieldCodec, ...]]] = {}
"""Read once per class; payload classes are few and live as long as the process."""


def _field(name: str, hint: Any) -> FieldCodec:
    is_text = False
    if typing.get_origin(hint) is typing.Annotated:
        is_text = any(isinstance(note, FreeText) for note in hint.__metadata__)
        hint = hint.__origin__
    optional = False
    if typing.get_origin(hint) in (Union, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
        optional = True
    return FieldCodec(name, camel(name), _codec(hint), optional, is_text)


def camel(name: str) -> str:
    """`review_due_at` as `reviewDueAt`."""
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def print_time(at: datetime) -> str:
    """A time in UTC with six decimals: texts of times then sort as times do."""
    in_utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    # At a third of what `isoformat` takes; but decimals that are all zero it leaves out.
    text = orjson.dumps(in_utc, option=orjson.OPT_UTC_Z)
    if len(text) == _QUOTED_TIME:
        return text[1:-1].decode()
    return in_utc.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


_QUOTED_TIME: Final = len('"2026-03-31T12:00:00.000000Z"')


@lru_cache(maxsize=4096)
def print_date(day: date) -> str:
    """A calendar date. Writing one takes Python longer than anything else of a row, and a page has the same ones again."""
    return day.isoformat()


def read_time(text: str) -> datetime:
    return datetime.fromisoformat(text)


_PLAIN: Final[dict[type, Codec]] = {
    str: Codec(str, str, {"type": "string"}, ""),
    int: Codec(int, int, {"type": "integer"}),
    bool: Codec(bool, bool, {"type": "boolean"}),
    date: Codec(date.isoformat, date.fromisoformat, {"type": "string", "format": "date"}),
    datetime: Codec(print_time, read_time, {"type": "string", "format": "date-time"}),
    Money: Codec(
        Money.wire,
        Money.from_wire,
        {
            "title": "Money",
            "description": "An exact amount of one currency.",
            "type": "object",
            "properties": {
                "amount": {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$"},
                "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            },
            "required": ["amount", "currency"],
            "additionalProperties": False,
        },
    ),
}


@cache
def _codec(hint: Any) -> Codec:
    if hint in _PLAIN:
        return _PLAIN[hint]
    if typing.get_origin(hint) is tuple:
        return _list_codec(_codec(typing.get_args(hint)[0]))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        values = [option.value for option in hint]
        return Codec(lambda value: value.value, hint, _named(hint) | {"type": "string", "enum": values})
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _object_codec(hint)
    raise TypeError(f"no event field may have the type {hint}")


def _list_codec(item: Codec) -> Codec:
    return Codec(
        lambda values: [item.write(value) for value in values],
        lambda values: tuple(item.read(value) for value in values),
        {"type": "array", "items": item.schema},
        (),
    )


def _object_codec(hint: type) -> Codec:
    def write(value: object) -> Json:
        return encode(value)[0]

    def read(data: Json) -> object:
        return decode(hint, data, {})

    return Codec(write, read, _named(hint) | payload_schema(hint))


def _named(hint: type) -> Json:
    """The name of a shape that others share, and what it is: whoever publishes schemas can name it once."""
    return {"title": hint.__name__, "description": in_words(hint)}


def in_words(hint: type) -> str:
    """The docstring of what is encoded, in one line of Markdown, with fields under the names that they have there."""
    line = " ".join(inspect.cleandoc(hint.__doc__ or "").split())
    return _FIELD_IN_WORDS.sub(lambda found: f"`{camel(found[1])}`", line)


def payload_schema(event_type: type) -> Json:
    """The JSON Schema of a payload, with `texts` as the salted hashes of its free texts by field."""
    fields = fields_of(event_type)
    plain = [field for field in fields if not field.is_text]
    words = [field for field in fields if field.is_text]
    properties = {field.key: field.codec.schema for field in plain}
    required = [field.key for field in plain if not field.optional]
    if words:
        digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        properties["texts"] = {
            "type": "object",
            "properties": {field.key: digest for field in words},
            "required": [field.key for field in words if not field.optional],
            "additionalProperties": False,
        }
        required += ["texts"] if any(not field.optional for field in words) else []
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
