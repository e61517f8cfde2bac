"""What was written to a tool and isn't in its listing yet: some tools answer for a while as if nothing had been written.

Each write is noted before it is made. What was noted is looked for until it is seen: in the listing, by its name, by its mark.
An item that isn't seen as it is now is left alone meanwhile, however long the tool may take to show it; so none is made twice,
taken for deleted, or read as somebody's wish to have it as it was before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from connectors.port import Memory, Tool, Writing
from connectors.sides import Field, Pair, Theirs, TheirSide, Values

CUT_OFF_MIN: Final = 10
"""Letters: no tool cuts texts off sooner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A tool's side with what its listing left out, and what is known of it."""

    theirs: TheirSide
    noted: Sequence[Pair]
    awaited: frozenset[str]
    """The milestones whose items nobody sees as they are now."""


async def completed(theirs: TheirSide, tool: Tool, memory: Memory) -> Seen:
    """The listing as it would be if the tool showed at once what was written to it. Raises `ToolError`."""
    noted = {pair.milestone_id: pair for pair in await memory.pairs()}
    items, awaited, done = dict(theirs.items), set(), []
    for writing in sorted(await memory.writings(tool.unseen_seconds), key=lambda one: not one.is_answered):
        pair = noted.get(writing.milestone_id)
        listed = _listed(writing, pair, items)
        found = listed if listed is not None and _is_of_now(listed, writing) else None
        if found is None or not writing.is_answered:
            found = await _looked_for(writing, pair, tool, replace(theirs, items=items)) or found
        if found is not None and not writing.is_late and _may_be_under_way(writing, pair, found):
            found = None
        if found is not None:
            items[found.id] = found
            noted[writing.milestone_id] = await _learned(writing, pair, found, memory)
            writing = await _answered(writing, found, listed, memory)
        elif not writing.is_late:
            awaited.add(writing.milestone_id)
            items.pop(listed.id if listed is not None else "", None)
        is_shown = listed is not None and found is not None and _is_of_now(listed, writing)
        if is_shown or (writing.is_late and found is None):
            done.append(writing.milestone_id)
    if done:
        await memory.seen(done)
    side = replace(theirs, items=items)
    return Seen(theirs=side, noted=list(noted.values()), awaited=frozenset(awaited))


def altered(written: Values, now: Theirs, before: Values | None = None) -> dict[Field, str]:
    """What a tool made of texts as it took them: the same words otherwise, cut off, or what was there `before`.

    Anything else is what somebody wrote in the same moment. Without a before the item is new, and nobody else's.
    """
    made: dict[Field, str] = {}
    for name, value in written.items():
        shown = now.values.get(name, value)
        if shown != value and (before is None or shown == before.get(name) or are_alike(value, shown)):
            made[name] = shown
    return made


def are_alike(written: str, shown: str) -> bool:
    """Whether one text is the other as a tool may keep it: other spaces, marks, case or forms of letters, or its beginning."""
    whole, kept = _letters(written), _letters(shown)
    return whole == kept or (len(kept) >= CUT_OFF_MIN and whole.startswith(kept))


def _letters(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text).casefold() if letter.isalnum())


def _listed(writing: Writing, pair: Pair | None, items: Mapping[str, Theirs]) -> Theirs | None:
    for name in _names(writing, pair):
        if (item := items.get(name)) is not None and item.mark in {None, writing.milestone_id}:
            return item
    return next((item for item in items.values() if item.mark == writing.milestone_id), None)


def _names(writing: Writing, pair: Pair | None) -> list[str]:
    names = [writing.external_id, pair.external_id if pair is not None else ""]
    return [name for name in dict.fromkeys(names) if name]


def _is_of_now(item: Theirs, writing: Writing) -> bool:
    """Whether an item is shown as of when it was written to, or later."""
    return writing.shown_at is None or item.updated_at is None or item.updated_at >= writing.shown_at


async def _looked_for(writing: Writing, pair: Pair | None, tool: Tool, theirs: TheirSide) -> Theirs | None:
    for name in _names(writing, pair):
        item = await tool.look(name)
        if item is not None and item.mark in {None, writing.milestone_id} and _is_of_now(item, writing):
            return item
    if writing.external_id and pair is not None:
        return None  # it has a name, and isn't seen by it
    item = await tool.seek(writing.milestone_id, theirs)
    return item if item is not None and _is_of_now(item, writing) else None


def _may_be_under_way(writing: Writing, pair: Pair | None, now: Theirs) -> bool:
    """Whether a change that nobody heard the answer to isn't seen, though it may have been made."""
    if writing.is_answered or not writing.external_id or pair is None or not writing.values:
        return False
    return not any(_was_written(name, value, now, pair) for name, value in writing.values.items())


async def _answered(writing: Writing, now: Theirs, listed: Theirs | None, memory: Memory) -> Writing:
    """The writing with what was seen as its answer, which the listing is to show, too."""
    if writing.is_answered:
        return writing
    writing = replace(writing, external_id=now.id, is_answered=True, shown_at=now.updated_at)
    if listed is None or not _is_of_now(listed, writing):
        await memory.intend(writing)
    return writing


async def _learned(writing: Writing, pair: Pair | None, now: Theirs, memory: Memory) -> Pair:
    """The pair of an item that is seen; noted if nobody heard the answer of whoever wrote."""
    if pair is not None and (writing.is_answered or (pair.external_id == now.id and not writing.external_id)):
        return pair
    if pair is None or not writing.external_id:
        before = pair or Pair(milestone_id=writing.milestone_id, external_id=now.id)
        known = Pair(
            milestone_id=writing.milestone_id,
            external_id=now.id,
            agreed=writing.values,
            shown=_alike(writing.values, now, {}),
            dones=before.dones,
            proposals=before.proposals,
        )
    else:
        said = {name: value for name, value in writing.values.items() if _was_written(name, value, now, pair)}
        known = replace(
            pair,
            external_id=now.id,
            agreed={**pair.agreed, **said},
            shown={**pair.shown, **_alike(said, now, pair.agreed)},
        )
    if known != pair:
        await memory.keep(known)
    return known


def _was_written(name: Field, value: str, now: Theirs, pair: Pair) -> bool:
    shown = now.values.get(name)
    if shown is None or shown in {pair.agreed.get(name), pair.shown.get(name)}:
        return shown == value
    return are_alike(value, shown)


def _alike(written: Values, now: Theirs, before: Values) -> dict[Field, str]:
    made = altered(written, now, before)
    return {name: value for name, value in made.items() if value != before.get(name)}
