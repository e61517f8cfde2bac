"""Histories of accounts as a release once wrote them: every later one reads them to the same state, for ever.

A file in `tests/golden/` is never changed; a new version of an event gets a new file.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

import pytest

from escrow import codec, log
from escrow.accounts import events
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account

GOLDEN: Final = Path(__file__).parents[2] / "golden"
FILES: Final = sorted(GOLDEN.glob("accounts-*.json"))


def histories() -> list[dict[str, Any]]:
    return [history for path in FILES for history in json.loads(path.read_text())]


def as_json(account: Account) -> Any:
    """The account as plain JSON, times as the log prints them."""
    plain = {**dataclasses.asdict(account), "members": account.members, "keys": account.keys}
    return json.loads(json.dumps(plain, default=_plain))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return codec.print_time(value)


def as_known_then(found: Any, expected: Any) -> Any:
    """What the older release knew of a state: fields that came later are left out."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {name: as_known_then(value, expected[name]) for name, value in found.items() if name in expected}
    return found


@pytest.mark.parametrize("history", histories(), ids=lambda history: history["stream"][-4:])
def test_a_history_is_read_as_it_was_written(history: dict[str, Any]) -> None:
    state, previous = None, None
    for stored in history["events"]:
        assert log.event_hash(stored["body"]) == stored["hash"]
        body = json.loads(stored["body"])
        assert body["previousHash"] == previous
        for field, text in stored["texts"].items():
            assert body["data"]["texts"][field] == log.text_hash(bytes.fromhex(text["salt"]), text["body"])
        words = {field: text["body"] for field, text in stored["texts"].items()}
        state = evolve(state, history["stream"], log.open_(stored, words))
        previous = stored["hash"]
    assert state is not None
    assert as_known_then(as_json(state), history["state"]) == history["state"]


def test_every_type_and_version_of_an_event_is_in_a_history() -> None:
    written = [json.loads(stored["body"]) for history in histories() for stored in history["events"]]
    assert {(body["type"], body["version"]) for body in written} == set(events.CATALOGUE)
