"""Golden histories of contracts: how one is written once, and how it is read for ever after.

`python -m tests.escrow.agreement.golden` writes the stories of `tour.py` that have no file yet. It never rewrites one: a
story that changes gets a new name, and the old file goes on being folded.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from escrow import codec, log
from escrow.agreement.events import Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Contract
from tests.escrow.agreement.stage import Story
from tests.escrow.agreement.tour import STORIES

GOLDEN: Final = Path(__file__).parents[2] / "golden"
PREFIX: Final = "contract-"


def files() -> list[Path]:
    return sorted(GOLDEN.glob(f"{PREFIX}*.json"))


def written(story: Story) -> dict[str, Any]:
    """The story as it is stored: events as they were sealed, texts beside them, and the state that they gave."""
    sealed = log.seal(story.id, version=0, last_hash=None, recorded=story.log)
    return {
        "stream": story.id,
        "events": [
            {
                "body": event.body,
                "hash": event.hash,
                "texts": {text.field: {"salt": text.salt.hex(), "body": text.body} for text in event.texts},
            }
            for event in sealed
        ],
        "state": printed(story.state),
    }


def read(history: Mapping[str, Any], *, erased: bool = False) -> tuple[Contract, list[Recorded]]:
    """The contract that a stored history gives now, with its words or without, and what was read of each event."""
    state: Contract | None = None
    recorded: list[Recorded] = []
    for stored in history["events"]:
        texts = {field: None if erased else text["body"] for field, text in stored["texts"].items()}
        recorded.append(log.open_(stored, texts))
        state = evolve(state, history["stream"], recorded[-1])
    assert state is not None, "an empty history"
    return state, recorded


def printed(value: Any) -> Any:
    """A state as plain JSON: times as the log prints them, ledger accounts as `account currency`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: printed(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {" ".join(key) if isinstance(key, tuple) else key: printed(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [printed(item) for item in value]
    if isinstance(value, datetime):
        return codec.print_time(value)
    return value.isoformat() if isinstance(value, date) else value


def as_known_then(found: Any, expected: Any) -> Any:
    """What the older release knew of a state: fields that came later are left out."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {name: as_known_then(value, expected[name]) for name, value in found.items() if name in expected}
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [as_known_then(one, other) for one, other in zip(found, expected, strict=True)]
    return found


def write_missing(directory: Path = GOLDEN) -> list[Path]:
    """Writes the stories that have no file yet, and gives the new files."""
    new = []
    for name, tell in STORIES.items():
        path = directory / f"{PREFIX}{name}.json"
        if not path.exists():
            text = json.dumps(written(tell()), ensure_ascii=False, indent=1)
            with path.open("x", encoding="utf-8") as file:
                file.write(text + "\n")
            new.append(path)
    return new


if __name__ == "__main__":
    for new_file in write_missing():
        sys.stdout.write(f"{new_file.name}\n")
