"""What a partner checks of each event before believing it, and how the demo shows it."""

import base64
import hashlib
import json
from typing import Any

import pytest

from earnest.demo.timeline import Event, Tampered, check, line


def event(**changes: object) -> Event:
    """The second event of a stream, as the API gives it, with one text."""
    body = json.dumps({"type": "milestone.changes_requested"})
    salt = b"s" * 16
    made: dict[str, Any] = {
        "id": "evt_2",
        "type": "milestone.changes_requested",
        "sequence": 2,
        "occurredAt": "2026-03-02T09:00:00.123456Z",
        "hash": hashlib.sha256(body.encode()).hexdigest(),
        "previousHash": "1" * 64,
        "body": body,
        "data": {
            "milestoneId": "mil_1",
            "number": 1,
            "texts": {"note": hashlib.sha256(salt + b'"more"').hexdigest()},
        },
        "texts": [{"field": "note", "value": "more", "salt": base64.b64encode(salt).decode()}],
        "actor": {"kind": "ACCOUNT", "accountId": "acc_1"},
    }
    return made | changes


FIRST = event(sequence=1, hash="1" * 64)


def test_an_event_that_follows_and_matches_its_hashes_is_believed() -> None:
    check(event(), after=FIRST)


def test_words_that_were_erased_are_not_missed() -> None:
    check(event(texts=[{"field": "note", "value": None, "salt": None}]), after=FIRST)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sequence": 3}, "does not follow"),
        ({"previousHash": "2" * 64}, "does not follow"),
        ({"body": "{}"}, "does not match its hash"),
        ({"texts": [{"field": "note", "value": "less", "salt": base64.b64encode(b"s" * 16).decode()}]}, "the words"),
    ],
)
def test_a_gap_a_change_and_other_words_are_noticed(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(Tampered, match=complaint):
        check(event(**changes), after=FIRST)


def test_the_first_event_follows_none() -> None:
    with pytest.raises(Tampered):
        check(event(), after=None)


def test_an_event_is_shown_on_one_line_with_names_for_ids() -> None:
    shown = line(event(), {"acc_1": "client", "mil_1": "Wireframe"})
    assert shown.split() == ["2", "09:00:00.123", "milestone.changes_requested", "client", "Wireframe", "“more”"]
