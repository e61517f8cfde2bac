"""Brings a file's plan into Earnest: what it says otherwise is changed, what is new is added, and nothing is taken out.

A file knows nothing of what was agreed before, so what it says counts where the plan may still be changed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from connectors.port import Home, Moved, Refused
from connectors.sides import Field, Ours, Theirs, TheirSide, Values

TRIES: Final = 3


@dataclass(slots=True)
class Imported:
    """What came of it."""

    added: int = 0
    edited: int = 0
    same: int = 0
    refused: tuple[str, ...] = ()
    """A line for each row that couldn't be taken, with the reason."""


async def bring(home: Home, file: TheirSide) -> Imported:
    """Every row of the file. Asked again with the same file it changes nothing."""
    done = Imported()
    for item in file.items.values():
        try:
            await _row(home, item, done)
        except (Refused, Moved) as refusal:
            done.refused += (f"{item.values[Field.TITLE] or item.id}: {refusal}",)
    return done


async def _row(home: Home, item: Theirs, done: Imported) -> None:
    for _ in range(TRIES):
        ours = await home.read()
        known = ours.items.get(item.mark or "") or _named(list(ours.items.values()), _name(item))
        if known is None:
            await _add(home, item, ours.currency, done)
            return
        changes = {name: value for name, value in item.values.items() if value and value != known.values[name]}
        if not changes:
            done.same += 1
            return
        if not known.is_open:
            raise Refused("it can't be changed any more")
        try:
            await home.edit(known.id, changes, version=ours.version)
        except Moved:
            continue
        done.edited += 1
        return
    raise Moved("the plan is being changed by somebody else just now")


async def _add(home: Home, item: Theirs, currency: str, done: Imported) -> None:
    if item.mark is not None:
        raise Refused(f"there is no milestone {item.mark} in this contract")
    if item.price is None:
        raise Refused("a new milestone needs an amount")
    if (why := item.price.objection(currency)) is not None:
        raise Refused(why)
    values: Values = {**item.values, Field.PURPOSE: item.values[Field.PURPOSE] or item.values[Field.TITLE]}
    await home.add(_name(item), None, values, item.price.amount or "")
    done.added += 1


def _name(item: Theirs) -> str:
    """What Earnest is told that the file calls a new row: by what it says, since a line's number says nothing."""
    said = "\n".join(item.values.get(name, "") for name in Field)
    return item.id if "@" in item.id else hashlib.sha256(said.encode()).hexdigest()[:32]


def _named(items: list[Ours], name: str) -> Ours | None:
    return next((one for one in items if one.external_id == name), None)
