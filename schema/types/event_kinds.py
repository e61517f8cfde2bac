"""Makes the type of each event from its class: the fields of its payload, typed, beside those that every event has.

What the payload says is read when it is asked for: of objects by a descriptor, of rows by an expression of the projection.
People's words are null until they are said and once they are erased, and nobody is shown what the log withholds.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final

import orjson
import strawberry

import schema.event_enums  # noqa: F401 - gives the enumerations of events their words
from escrow import codec, log
from escrow.accounts.state.endpoints import SecretFacts
from escrow.agreement import events as facts
from escrow.agreement import state
from escrow.agreement.events import WITHHELD, FreeText
from escrow.database import Record
from escrow.money import Money as DomainMoney
from schema.compiled.declare import Projection, Ready, project
from schema.scalars import CurrencyCode, DecimalText
from schema.types import events
from schema.types.attachments import Attachment
from schema.types.common import Money
from schema.types.contracts import Fees, Windows
from schema.types.events import Event
from webhooks.events.examples import KINDS
from webhooks.events.schemas import described
from webhooks.events.words import meaning

Convert = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Type:
    """How values of one type are answered: the type in GraphQL, and what makes a value of its JSON; `None` where it is one."""

    hint: Any
    convert: Convert | None
    is_written: bool
    """Whether the JSON is already what an answer says."""


@cache
def _type_of(hint: Any, name: str) -> _Type:
    if typing.get_origin(hint) is tuple:
        inner = _type_of(typing.get_args(hint)[0], name.removesuffix("s") if name.endswith("_ids") else name)
        if inner.convert is None:
            return _Type(types.GenericAlias(list, inner.hint), None, inner.is_written)
        one = inner.convert
        return _Type(
            types.GenericAlias(list, inner.hint), lambda values: [one(value) for value in values], inner.is_written
        )
    if hint is str and (name in KINDS or name == "currency"):
        return _Type(CurrencyCode if name == "currency" else strawberry.ID, None, True)
    if hint in (str, int, bool):
        return _Type(hint, None, True)
    if hint is date:
        return _Type(hint, date.fromisoformat, True)
    if hint is datetime:
        return _Type(hint, codec.read_time, True)
    if hint is DomainMoney:
        return _Type(Money, _money, False)
    if issubclass(hint, StrEnum):
        return _Type(hint, hint, all(member.name == member.value for member in hint))
    return _Type(*_SHAPES[hint], False) if hint in _SHAPES else _type_of_part(hint)


def _money(wire: dict[str, str]) -> Money:
    return Money(amount=DecimalText(wire["amount"]), currency=CurrencyCode(wire["currency"]))


_SHAPES: Final[dict[Any, tuple[Any, Convert]]] = {
    state.Windows: (Windows, lambda wire: Windows.of(codec.decode(state.Windows, wire, {}))),
    state.Fees: (Fees, lambda wire: Fees.of(codec.decode(state.Fees, wire, {}))),
    state.Attachment: (Attachment, lambda wire: Attachment(name=wire["name"], sha256=wire["sha256"])),
}
"""The parts of events that the API has types for."""

_NAMES: Final[dict[Any, str]] = {facts.Return: "MoneyReturn", SecretFacts: "WebhookSecretFacts"}
"""What other parts are called in the API, where that is not what the domain calls them."""


def _type_of_part(cls: Any) -> _Type:
    """A part of an event that only events have, as a type of its own."""
    name = _NAMES.get(cls, cls.__name__)
    fields = [_field(cls, one.name, hint) for one, hint in _hints(cls)]
    made = _made(name, (), fields, codec.in_words(cls))

    def convert(wire: dict[str, Any]) -> Any:
        return made(**{one.name: one.of_json(wire.get(one.key)) for one in fields})

    return _Type(made, convert, False)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of an event, or of a part of one."""

    name: str
    key: str
    type: _Type
    is_nullable: bool
    is_words: bool
    description: str

    def of_json(self, value: Any) -> Any:
        """What an object answers, of the value in the payload or of the words beside it."""
        return value if value is None or self.type.convert is None else self.type.convert(value)

    @property
    def expression(self) -> str | Ready:
        """What a row answers."""
        said = (
            f"word(row['texts'], {self.key!r})" if self.is_words else f"content(row['body'])['data'].get({self.key!r})"
        )
        return Ready(said) if self.type.is_written else f"read_{self.name}({said})"


def _hints(cls: Any) -> list[tuple[Any, Any]]:
    hints = typing.get_type_hints(cls, include_extras=True)
    return [(one, hints[one.name]) for one in dataclasses.fields(cls)]


def _field(owner: Any, name: str, hint: Any) -> _Field:
    is_words = typing.get_origin(hint) is typing.Annotated and any(
        isinstance(one, FreeText) for one in hint.__metadata__
    )
    if typing.get_origin(hint) is typing.Annotated:
        hint = hint.__origin__
    is_optional = typing.get_origin(hint) in (typing.Union, types.UnionType)
    if is_optional:
        (hint,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    key = codec.camel(name)
    said = meaning(owner.__name__, key)
    if is_words:
        said = f"{said} Null if it was not said, or once it is erased."
    return _Field(name, key, _type_of(hint, name), is_optional or is_words, is_words, said)


def _made(name: str, bases: tuple[type, ...], fields: list[_Field], description: str) -> Any:
    hints = {one.name: one.type.hint | None if one.is_nullable else one.type.hint for one in fields}
    declared = {one.name: strawberry.field(description=one.description) for one in fields}
    cls = type(name, bases, {"__annotations__": hints, "__module__": __name__, **declared})
    return strawberry.type(cls, description=description)


class _Said:
    """Reads a field of an event's payload, or of its words, when it is first asked for."""

    def __init__(self, field: _Field) -> None:
        self._field = field

    def __get__(self, event: Any, _: object = None) -> Any:
        if event is None:
            return self
        field = self._field
        if field.is_words:
            said = next((text.value for text in event.texts if text.field == field.key), None)
        else:
            said = event.data.get(field.key)
        value = event.__dict__[field.name] = field.of_json(said)
        return value


def _word(texts: Any, key: str) -> Any:
    """The words of a row under this name, as JSON; `None` if there are none, or none any more."""
    return next((orjson.loads(body) for field, body, _, _ in texts if field == key and body is not None), None)


def _kind(event_class: Any) -> type[Event]:
    """The type of the events of a class."""
    fields = [
        _field(event_class, one.name, hint)
        for one, hint in _hints(event_class)
        if codec.camel(one.name) not in WITHHELD
    ]
    made: type[Event] = _made(event_class.__name__, (Event,), fields, described(event_class))
    for one in fields:
        setattr(made, one.name, _Said(one))
    events.WORDS.update(one.key for one in fields if one.is_words)
    readers = {f"read_{one.name}": one.of_json for one in fields}
    projection = Projection(
        rows=(Record,),
        fields=events.FIELDS | {one.key: one.expression for one in fields},
        names=events.NAMES | {"word": _word} | readers,
    )
    project(made, projection)
    return made


@strawberry.type(
    description="An event of a type, or of a version of one, that this process doesn't know: while a release is rolled out."
)
class OtherEvent(Event):
    pass


project(OtherEvent, Projection(rows=(Record,), fields=events.FIELDS, names=events.NAMES))
events.CLASSES[events.OTHER] = OtherEvent
events.CLASSES.update({key: _kind(event_class) for key, event_class in sorted(log.CATALOGUE.items())})

EVENT_KINDS: Final = tuple(events.CLASSES.values())
"""The types of all events, and that of those which aren't known."""
