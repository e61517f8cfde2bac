"""Bodies: the event as it is stored, byte for byte, words beside it as far as they may be shown and fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from escrow import log
from escrow.access import Actor, ActorKind
from escrow.accounts.inputs import EVENT_TYPES_MAX
from escrow.accounts.state.endpoints import SECRETS_MAX
from escrow.agreement.events import DepositStarted, Event, Recorded
from escrow.agreement.inputs import (
    ATTACHMENT_NAME_MAX,
    ATTACHMENTS_MAX,
    DELIVERABLE_MAX,
    DELIVERABLES_MAX,
    DESCRIPTION_MAX,
    LINK_MAX,
    LINKS_MAX,
    MESSAGE_MAX,
)
from escrow.agreement.state import Attachment
from escrow.cursors import read_cursor
from escrow.ids import Kind
from tests.escrow.agreement.stage import named
from tests.escrow.agreement.test_totality import largest
from webhooks.events.examples import CLASSES, event_of
from webhooks.request.bodies import BODY_BYTES_MAX, DeliveryMark, TextBeside, body

VERSION = "2026-11-22"
SCRIPTS = {"latin": "x", "greek": "λ", "han": "工", "emoji": "🦊", "control": "\x01", "quotes": '"'}
BY = Actor(ActorKind.ACCOUNT, named(Kind.ACCOUNT, 1), named(Kind.KEY, 1), named(Kind.MEMBER, 1))
LONGEST = {
    "title": 200,
    "purpose": 2_000,
    "name": 200,
    "person": 320,
    "description": DESCRIPTION_MAX,
    "message": MESSAGE_MAX,
    "note": MESSAGE_MAX,
    "explanation": MESSAGE_MAX,
    "payment_token": 200,
    "url": 2_048,
}


def sealed(event: Event) -> tuple[log.Sealed, dict[str, TextBeside]]:
    recorded = Recorded(event, datetime(2026, 3, 2, 9, 0, tzinfo=UTC), BY)
    (one,) = log.seal(named(Kind.CONTRACT, 1), version=2**53 - 2, last_hash="f" * 64, recorded=[recorded])
    return one, {text.field: TextBeside(text.salt, text.body) for text in one.texts}


def payload(event: Event, *, mark: DeliveryMark | None = None) -> tuple[log.Sealed, bytes]:
    one, texts = sealed(event)
    return one, body(
        api_version=VERSION, position=2**63 - 1, event_body=one.body, texts=texts, mark=mark or DeliveryMark()
    )


def longest_words(of: Any, character: str) -> dict[str, Any]:
    """As long as the rules let each of its fields of words be."""
    words: dict[str, Any] = {name: character * characters for name, characters in LONGEST.items() if hasattr(of, name)}
    if hasattr(of, "deliverables"):
        words["deliverables"] = (character * DELIVERABLE_MAX,) * DELIVERABLES_MAX
    if hasattr(of, "links"):
        words["links"] = (("https://a.example/" + character * LINK_MAX)[:LINK_MAX],) * LINKS_MAX
        words["attachments"] = (Attachment(character * ATTACHMENT_NAME_MAX, "f" * 64),) * ATTACHMENTS_MAX
    return words


def wordy(event_class: type[Event], character: str) -> Event:
    """The largest event of its type, with the longest words in one script."""
    event: Event = largest(event_class)
    words = longest_words(event, character)
    if hasattr(event, "words"):
        words["words"] = tuple(dataclasses.replace(one, **longest_words(one, character)) for one in event.words)
    for name, most in (("secrets", 2), ("forgotten", SECRETS_MAX), ("event_types", EVENT_TYPES_MAX)):
        if hasattr(event, name):
            words[name] = getattr(event, name)[:most]
    return dataclasses.replace(event, **words)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_event_stands_in_the_body_as_it_was_hashed(name: str) -> None:
    one, found = payload(event_of(CLASSES[name]))
    assert found.count(one.body.encode()) == 1
    content = json.loads(found)
    assert (content["type"], content["timestamp"]) == (one.type, "2026-03-02T09:00:00.000000Z")
    assert content["data"]["event"] == json.loads(one.body)
    start = found.index(b'"event":') + len(b'"event":')
    assert hashlib.sha256(found[start : start + len(one.body.encode())]).hexdigest() == one.hash


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_text_that_is_shown_fits_its_hash_in_the_event(name: str) -> None:
    data = json.loads(payload(event_of(CLASSES[name]))[1])["data"]
    hashes = data["event"]["data"].get("texts", {})
    assert set(data["texts"]) == set(hashes) - {"paymentToken"}
    for field, text in data["texts"].items():
        said = log.canonical(text["text"])
        assert log.text_hash(bytes.fromhex(text["salt"]), said) == hashes[field]


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_the_longest_words_in_any_script_leave_a_body_below_twenty_kilobytes(name: str, script: str) -> None:
    one, found = payload(wordy(CLASSES[name], SCRIPTS[script]))
    assert len(found) < BODY_BYTES_MAX == 20_000
    data = json.loads(found)["data"]
    said = {text.field for text in one.texts} - {"paymentToken"}
    assert said == set(data["texts"]) | set(data.get("textsOmitted", []))
    assert one.body.encode() in found


def test_only_the_largest_words_are_left_out_and_they_are_named() -> None:
    _, texts = sealed(event_of(CLASSES["contract.proposed"]))
    texts["description"] = TextBeside(b"s" * 16, json.dumps("x" * 30_000))
    one, _ = sealed(event_of(CLASSES["contract.proposed"]))
    data = json.loads(body(api_version=VERSION, position=1, event_body=one.body, texts=texts))["data"]
    assert set(data["texts"]) == {"title", "message"}
    assert data["textsOmitted"] == ["description"]


def test_a_payment_token_never_leaves() -> None:
    event = event_of(DepositStarted)
    assert isinstance(event, DepositStarted)
    one, found = payload(dataclasses.replace(event, payment_token="tok_of_the_client"))
    assert "paymentToken" in [text.field for text in one.texts]
    assert b"tok_of_the_client" not in found
    assert "paymentToken" not in json.loads(found)["data"]["texts"]


def test_erased_words_are_null() -> None:
    one, texts = sealed(event_of(CLASSES["milestone.submitted"]))
    texts["message"] = TextBeside(None, None)
    data = json.loads(body(api_version=VERSION, position=1, event_body=one.body, texts=texts))["data"]
    assert data["texts"]["message"] is None
    assert data["texts"]["links"]["text"]


def test_the_same_delivery_has_the_same_bytes_at_every_attempt() -> None:
    one, texts = sealed(event_of(CLASSES["milestone.submitted"]))
    given: dict[str, Any] = {"api_version": VERSION, "position": 7, "event_body": one.body}
    shuffled = dict(reversed(texts.items()))
    assert body(**given, texts=texts) == body(**given, texts=shuffled)


def test_a_delivery_says_what_is_special_about_it() -> None:
    event = event_of(CLASSES["milestone.activated"])
    plain = json.loads(payload(event)[1])["data"]
    assert (plain["replay"], read_cursor(plain["cursor"]), plain["apiVersion"]) == (False, 2**63 - 1, VERSION)
    assert not {"previousFailed", "test", "textsOmitted"} & set(plain)
    replayed = json.loads(payload(event, mark=DeliveryMark(is_replay=True, previous_failed="evt_1"))[1])["data"]
    assert (replayed["replay"], replayed["previousFailed"]) == (True, "evt_1")
    tested = json.loads(payload(event, mark=DeliveryMark(is_test=True))[1])["data"]
    assert (tested["test"], tested["cursor"]) == (True, None)
