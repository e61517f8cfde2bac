"""Writes the pages of `docs/events`: what `webhooks.events.reference` makes of the catalogue.

`earnest events --write` puts them there and `--check` compares, so that a page can't differ from what is sent.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from webhooks.events.reference import pages

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "events"


def differences(directory: Path = DIRECTORY) -> list[str]:
    """The names of the files that are missing, left over or others than the code says."""
    wanted = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in directory.glob("*.md")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(directory: Path = DIRECTORY) -> None:
    """Make the files what the code says."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in differences(directory):
        (directory / name).unlink(missing_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")
