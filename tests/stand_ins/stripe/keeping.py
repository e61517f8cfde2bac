"""Keeps the stand-in's books in a file between two starts, so that a deployment finds again what it paid with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.stand_ins.stripe.books import Books, Drawer, Notice, Purse


def save(books: Books, path: Path) -> None:
    """Write all of it, or nothing."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(_told(books)))
    part.replace(path)


def _told(books: Books) -> dict[str, Any]:
    return {
        "seed": books.hostility.seed,  # by which the platform's account is called
        "offset": books.clock.offset,
        "banks": books.banks,
        "numbers": books.numbers,
        "due": books.due,
        "notices": [[one.at, one.event] for one in books.notices],
        "drawers": {
            account: {
                "things": drawer.things,
                "purses": {currency: [purse.available, purse.pending] for currency, purse in drawer.purses.items()},
            }
            for account, drawer in books.drawers.items()
        },
    }


def load(books: Books, path: Path) -> None:
    """Take up what was saved; nothing if there is no file."""
    if not path.exists():
        return
    told = json.loads(path.read_text())
    books.hostility = replace(books.hostility, seed=told["seed"])
    books.clock.offset = told["offset"]
    books.banks, books.numbers = told["banks"], told["numbers"]
    books.due = [(at, what, names) for at, what, names in told["due"]]
    books.notices = [Notice(at, event) for at, event in told["notices"]]
    for account, kept in told["drawers"].items():
        drawer = books.drawers[account] = Drawer()
        for kind, things in kept["things"].items():
            for thing in things.values():
                drawer.put(kind, thing)
        for currency, (available, pending) in kept["purses"].items():
            drawer.purses[currency] = Purse(available, [(at, net) for at, net in pending])
