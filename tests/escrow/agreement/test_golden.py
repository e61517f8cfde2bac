"""Histories of contracts as a release once wrote them: every later one folds them to the same state, for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from escrow import log
from escrow.agreement.events import CATALOGUE
from tests.escrow.agreement.golden import PREFIX, as_known_then, files, printed, read, write_missing
from tests.escrow.agreement.stage import books
from tests.escrow.agreement.tour import STORIES

each_history = pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)


def stored(path: Path) -> dict[str, Any]:
    history: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return history


@each_history
def test_a_history_still_gives_the_state_that_it_gave_when_it_was_written(path: Path) -> None:
    history = stored(path)
    state, _ = read(history)
    assert as_known_then(printed(state), history["state"]) == history["state"]


@each_history
def test_a_history_is_whole_each_event_hashed_in_the_chain_and_each_text_with_its_salt(path: Path) -> None:
    previous = None
    for sequence, event in enumerate(stored(path)["events"], start=1):
        body = json.loads(event["body"])
        assert (body["sequence"], body["previousHash"]) == (sequence, previous)
        assert log.canonical(body) == event["body"]
        assert log.event_hash(event["body"]) == event["hash"]
        hashes = {
            field: log.text_hash(bytes.fromhex(text["salt"]), text["body"]) for field, text in event["texts"].items()
        }
        assert body["data"].get("texts", {}) == hashes
        previous = event["hash"]


@each_history
def test_a_history_whose_words_were_erased_gives_the_same_money_and_states(path: Path) -> None:
    history = stored(path)
    mute, recorded = read(history, erased=True)
    told, same_recorded = read(history)
    assert (mute.state, mute.balances, mute.deposits) == (told.state, told.balances, told.deposits)
    assert [(one.state, one.held_minor, one.due_on) for one in mute.milestones] == [
        (one.state, one.held_minor, one.due_on) for one in told.milestones
    ]
    assert books(mute.id, recorded) == books(told.id, same_recorded)


@each_history
def test_the_books_of_a_history_balance(path: Path) -> None:
    state, recorded = read(stored(path))
    ledger = books(state.id, recorded)
    for currency in {currency for _, currency in ledger}:
        assert sum(minor for (_, of), minor in ledger.items() if of == currency) == 0
    assert {key: ledger[key] for key in state.balances} == dict(state.balances)


def test_every_event_that_a_contract_ever_wrote_is_in_a_golden_history() -> None:
    bodies = [json.loads(event["body"]) for path in files() for event in stored(path)["events"]]
    assert {(body["type"], body["version"]) for body in bodies} == set(CATALOGUE)


def test_every_story_has_its_file_and_writing_again_changes_none(tmp_path: Path) -> None:
    assert {path.stem for path in files()} >= {PREFIX + name for name in STORIES}
    assert write_missing() == []
    new = write_missing(tmp_path)
    assert len(new) == len(STORIES)
    before = [path.read_bytes() for path in new]
    assert write_missing(tmp_path) == []
    assert [path.read_bytes() for path in new] == before
