"""Makes an example of each event from the fields of its class, always the same: for the catalogue, the docs, and tests.

Values go by the name of a field where the domain has one for it, else by its type; so an event that is new has an example at
once. Identifiers, salts and hashes look as real ones do, and the hashes are right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, Union

import orjson

from escrow import codec, log
from escrow.access import SYSTEM, Actor, ActorKind
from escrow.accounts import events as account_events
from escrow.agreement.events import Event, Recorded
from escrow.ids import Kind, encode
from escrow.money import Money
from webhooks.events.unlogged import UNLOGGED
from webhooks.request.bodies import TextBeside

AT: Final = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """An event as it is stored, and the words beside it."""

    body: str
    texts: Mapping[str, TextBeside]


def event_of(event_class: type[Event]) -> Event:
    """An instance with every field filled."""
    made: Event = _object(event_class)
    return made


def example(event_class: type[Event]) -> Example:
    """The event as it would stand in the log of a contract or an account."""
    name = event_class.type
    is_unlogged = event_class in UNLOGGED.values()
    is_accounts = is_unlogged or event_class in account_events.CATALOGUE.values()
    owner = Kind.ACCOUNT if is_accounts else Kind.CONTRACT
    actor = Actor(ActorKind.ACCOUNT, identifier(Kind.ACCOUNT, "client"), identifier(Kind.KEY, "key"))
    return _sealed(
        Recorded(event_of(event_class), AT, actor),
        event_id=identifier(Kind.EVENT, name),
        stream_id=identifier(owner, owner.value),
        sequence=0 if is_unlogged else 7,
        previous_hash=None if is_unlogged else hashlib.sha256(f"before {name}".encode()).hexdigest(),
    )


def event_for_a_test(event_type: str, *, event_id: str, stream_id: str, actor: Actor) -> str | None:
    """The body of an event of this type that never happened; `None` if there is no such type.

    It has the sequence 0, which no event of a log has, and everything else as in the example.
    """
    event_class = CLASSES.get(event_type)
    if event_class is None:
        return None
    return _beside_the_log(Recorded(event_of(event_class), datetime.now(UTC), actor), event_id, stream_id)


def sealed_beside_the_log(event: Event, *, at: datetime, event_id: str, stream_id: str) -> str:
    """The body of something of ours that is sent to endpoints and stands in no log."""
    return _beside_the_log(Recorded(event, at, SYSTEM), event_id, stream_id)


def _beside_the_log(recorded: Recorded, event_id: str, stream_id: str) -> str:
    return _sealed(recorded, event_id=event_id, stream_id=stream_id, sequence=0, previous_hash=None).body


def words_of_test(event_body: str) -> Mapping[str, TextBeside]:
    """The words that belong to the body of a test, which stand in no table."""
    stored = orjson.loads(event_body)
    event_class = CLASSES.get(stored["type"])
    return example(event_class).texts if event_class is not None else {}


def _sealed(recorded: Recorded, **place: Any) -> Example:
    """Like `log.seal`, but nothing in it is left to chance; `place` is what `log.body_of` asks for."""
    data, words = codec.encode(recorded.event)
    texts = {
        field: TextBeside(hashlib.sha256(field.encode()).digest()[: log.SALT_BYTES], log.canonical(value))
        for field, value in words.items()
    }
    if texts:
        data["texts"] = {
            field: log.text_hash(text.salt or b"", text.body or "") for field, text in sorted(texts.items())
        }
    return Example(log.body_of(recorded, data, **place), texts)


def identifier(kind: Kind, name: str) -> str:
    """The identifier of this kind that stands for `name` in all examples."""
    milliseconds = int(AT.timestamp() * 1000)
    chance = int.from_bytes(hashlib.sha256(f"{kind.value} {name}".encode()).digest()[:9], "big")
    number = (
        (milliseconds << 80) | (0x7 << 76) | ((chance >> 60 & 0xFFF) << 64) | (0b10 << 62) | (chance & (1 << 62) - 1)
    )
    return f"{kind.value}_{encode(number)}"


KINDS: Final = {
    "client_id": Kind.ACCOUNT,
    "freelancer_id": Kind.ACCOUNT,
    "account_id": Kind.ACCOUNT,
    "mediator_id": Kind.ACCOUNT,
    "contract_id": Kind.CONTRACT,
    "milestone_id": Kind.MILESTONE,
    "submission_id": Kind.SUBMISSION,
    "deposit_id": Kind.DEPOSIT,
    "order_id": Kind.ORDER,
    "member_id": Kind.MEMBER,
    "key_id": Kind.KEY,
    "endpoint_id": Kind.ENDPOINT,
    "change_request_id": Kind.CHANGE_REQUEST,
    "refund_request_id": Kind.REFUND_REQUEST,
    "request_id": Kind.REFUND_REQUEST,
    "dispute_id": Kind.DISPUTE,
    "refund_id": Kind.REFUND_REQUEST,
    "answers_refund_id": Kind.REFUND_REQUEST,
    "to_milestone_id": Kind.MILESTONE,
    "rest_order_id": Kind.ORDER,
}
"""What the fields that hold identifiers name; lists of them end in `_ids`."""

_WORDS: Final[Mapping[str, str]] = {
    "currency": "USD",
    "time_zone": "Europe/Lisbon",
    "title": "Approving the wireframe",
    "description": "A website with a shop, in two languages.",
    "purpose": "So that everybody sees where it goes before anything is drawn.",
    "deliverables": "Wireframes of all pages",
    "message": "As agreed on Monday.",
    "note": "The checkout lacks the VAT number.",
    "explanation": "The card was declined.",
    "links": "https://files.example.com/wireframe.pdf",
    "name": "wireframe.pdf",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "person": "ana@studio.example",
    "hint": "w7qz",
    "fingerprint": "5d41402abc4b2a76b9719d911017c592a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "forgotten": "7d793037a0760186574b0282f2f435e7a1b2c3d4e5f60718293a4b5c6d7e8f90",
    "public_key": "whpk_JcvQ2nE4c1rHLyWvEvHYZNJmvwJqZvXhXmYw0gVnUJ8=",
    "url": "https://hooks.example.com/earnest",
    "event_types": "milestone.*",
    "api_version": "2026-11-22",
    "action": "milestone.released",
    "payment_token": "tok_withheld",
    "kept_cursor": "cur_0000000000016",
    "first_cursor": "cur_00001yk000000",
    "system": "jira",
    "external_id": "WEB-42",
    "reason": "The work doesn't match the wireframe.",
}
"""What the fields that hold texts say, in events and in the lists and parts of events."""

_PLAIN: Final[Mapping[type, Any]] = {
    int: 1,
    bool: False,
    date: date(2026, 3, 31),
    datetime: datetime(2026, 3, 16, 9, 30, tzinfo=UTC),
    Money: Money(125_000, "USD"),
}


def _object(of: type[Any]) -> Any:
    hints = typing.get_type_hints(of)
    return of(**{field.name: _value(field.name, hints[field.name]) for field in dataclasses.fields(of)})


def _value(name: str, hint: Any) -> Any:
    if typing.get_origin(hint) in (Union, types.UnionType):
        (hint,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    if typing.get_origin(hint) is tuple:
        return (_value(name.removesuffix("s") if name.endswith("_ids") else name, typing.get_args(hint)[0]),)
    if hint is str:
        return _text(name)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and hint not in _PLAIN:
        return _object(hint)
    return _PLAIN[hint]


def _text(name: str) -> str:
    if name in KINDS:
        return identifier(KINDS[name], name)
    return _WORDS.get(name, "Something that was said.")


CLASSES: Final[Mapping[str, type[Event]]] = {
    event_class.type: event_class
    # Later versions come later, and replace the ones before.
    for _, event_class in sorted(log.CATALOGUE.items(), key=lambda item: item[0])
} | dict(UNLOGGED)
"""The latest class of every type that is sent, those that stand in no log included."""
