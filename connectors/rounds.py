"""One round of a coupling: read both sides, ask the engine, carry out its steps one by one, and remember each once it is done.

It may be cut off between any two lines. What was written and not remembered is read again in the next round, where both
sides say the same already; what has no state to be read from (an update, a change request) bears a name under which
Earnest does it once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from connectors import merging, pairing, unseen
from connectors.port import (
    Home,
    ListingIncomplete,
    Memory,
    Moved,
    NotDone,
    Refused,
    Tool,
    ToolRefused,
    Writing,
)
from connectors.sides import ASKED, Field, OurSide, Pair, Theirs, TheirSide, Treaty, Values
from connectors.writes import (
    Add,
    AskToAdd,
    AskToEdit,
    AskToRemove,
    Create,
    Edit,
    Forget,
    Name,
    Note,
    Remove,
    Step,
    Submit,
    Tell,
    Write,
)  # fmt: skip


@dataclass(slots=True)
class Tally:
    """What one round did."""

    to_earnest: int = 0
    to_tool: int = 0
    is_settled: bool = True
    """Whether nothing is left to do; else the next round should follow at once."""
    problem: str | None = None
    """What one of the sides refused, in its words."""
    awaited: int = 0
    """Items that the tool doesn't show as they are now: it is of no use to ask again at once."""
    strays: int = 0
    """Items with our line of a milestone that isn't there."""

    @property
    def writes(self) -> int:
        """To both sides; names that people find things by are not counted."""
        return self.to_earnest + self.to_tool


async def play(home: Home, tool: Tool, memory: Memory, treaty: Treaty, *, believes: bool = False) -> Tally:
    """One round. Raises what the sides raise, `ListingIncomplete` and `merging.TooManyMissing`."""
    ours, listed = await home.read(await _followed(memory)), await tool.read()
    seen = await unseen.completed(listed, tool, memory)
    asked = merging.plan(ours, seen.theirs, seen.noted, treaty, believes=believes, awaited=seen.awaited)
    await _make_sure(asked.absent, tool, memory)
    playing = Playing(home, tool, memory, ours, seen.theirs)
    playing.tally.strays = len(asked.strays)
    playing.tally.problem = next(iter(asked.problems), None)
    playing.awaits(len(seen.awaited))
    for step in asked.steps:
        try:
            await playing.take(step)
        except Refused as refusal:
            playing.tally.problem = str(refusal)
            await playing.refused(step, refusal.field)
        except ToolRefused as refusal:  # of this one item: the others are none the worse
            playing.tally.problem = str(refusal)
        except Moved:
            playing.tally.is_settled = False
    return playing.tally


async def begin_anew(home: Home, memory: Memory) -> None:
    """Keep of what was agreed what holds whatever happened to Earnest. Raises what the sides raise; done twice it is the same."""
    ours = await home.read(await _followed(memory))
    for pair in await memory.pairs():
        kept = pairing.anew(pair, ours)
        if kept is None:
            await memory.forget(pair.milestone_id)
        elif kept != pair:
            await memory.keep(kept)


async def _followed(memory: Memory) -> list[str]:
    """The milestones whose items aren't left alone."""
    noted = [pair.milestone_id for pair in await memory.pairs() if not pair.is_gone]
    return [milestone_id for milestone_id in noted if not milestone_id.startswith(ASKED)]


async def _make_sure(absent: Iterable[str], tool: Tool, memory: Memory) -> None:
    """Look for each that the listing left out: only what isn't found either was deleted."""
    for external_id in absent:
        await memory.hold()  # many looks take longer than a lease
        if await tool.look(external_id) is not None:
            raise ListingIncomplete(f"the tool's listing leaves out {external_id}, which is there")


class Playing:
    """A round that is under way."""

    def __init__(self, home: Home, tool: Tool, memory: Memory, ours: OurSide, theirs: TheirSide) -> None:
        self._home = home
        self._tool = tool
        self._memory = memory
        self._ours = ours
        self._theirs = theirs
        self._version = ours.version
        self._skipped: set[str] = set()
        self._refused: set[str] = set()
        """Those of which Earnest refused something that it may take later: the next round needn't follow at once."""
        self.tally = Tally()

    def awaits(self, count: int) -> None:
        """Say how many items were written to and aren't seen so."""
        if count:
            self.tally.awaited = count
            self.tally.is_settled = False
            self.tally.problem = f"{count} items were written to, and the tool doesn't show it yet"

    async def take(self, step: Step) -> None:
        """Carry out one step and remember it. Raises `Moved`, `Refused` and `ToolRefused`."""
        if isinstance(step, Write) and step.pair.milestone_id in self._refused:
            return
        if isinstance(step, Create | Write):
            await self._outward(step)
        elif isinstance(step, Name):
            await self._home.name(step.milestone_id, step.external_id, step.url)
        elif isinstance(step, Forget):
            await self._memory.forget(step.milestone_id)
        elif isinstance(step, Note):
            if step.pair.milestone_id not in self._skipped:
                await self._memory.keep(step.pair)
        else:
            await self._inward(step)

    async def _outward(self, step: Create | Write) -> None:
        if isinstance(step, Create):
            await self._create(step)
            return
        seen = self._theirs.items[step.pair.external_id]
        if step.pair.milestone_id in self._skipped or _says_other(await self._tool.look(seen.id), seen):
            raise Moved  # somebody was at it since it was read: the next round sees what they did
        said = {name: step.card.values[name] for name in step.changed}
        writing = Writing(milestone_id=step.pair.milestone_id, external_id=seen.id, values=said)
        await self._memory.intend(writing)
        try:
            now = await self._tool.write(seen.id, step.card, step.changed)
        except NotDone:
            await self._memory.seen([writing.milestone_id])
            raise
        except ToolRefused:
            await self._memory.seen([writing.milestone_id])
            if not self._title_is_about_to_be_free(step):
                raise
            await self._step_aside(step, seen)
            return
        self._counted(to_tool=1)
        shown = {name: value for name, value in step.pair.shown.items() if name not in step.changed}
        pair = replace(step.pair, external_id=now.id, shown={**shown, **unseen.altered(said, now, seen.values)})
        if not _says_other(now, seen):
            self.tally.problem = f"{seen.id} says the same as before it was written to"
            pair = replace(pair, vain=step.vain)
        await self._answered(writing, pair, now)

    async def _create(self, step: Create) -> None:
        """What is to be made is noted first, so that it is looked for before it is made again."""
        writing = Writing(milestone_id=step.card.mark, values=step.card.values)
        await self._memory.intend(writing)
        try:
            made = await self._tool.create(step.card)
        except (ToolRefused, NotDone):
            await self._memory.seen([writing.milestone_id])
            raise
        self._counted(to_tool=1)
        await self._answered(writing, _pair_of(step, made), made)
        await self._home.name(step.card.mark, made.id, made.url)

    async def _answered(self, writing: Writing, pair: Pair, now: Theirs) -> None:
        await self._memory.keep(pair)
        await self._memory.intend(replace(writing, external_id=now.id, is_answered=True, shown_at=now.updated_at))

    def _title_is_about_to_be_free(self, step: Write) -> bool:
        """Whether another milestone's item has the title still, and is to have another one: they may wait for each other."""
        title = step.card.values[Field.TITLE]
        holders = [item.mark or "" for item in self._theirs.items.values() if item.values.get(Field.TITLE) == title]
        wanted = [self._ours.items[mark].values[Field.TITLE] for mark in holders if mark in self._ours.items]
        return Field.TITLE in step.changed and any(other != title for other in wanted)

    async def _step_aside(self, step: Write, seen: Theirs) -> None:
        """Give an item a title of its own for the meantime. It is noted first, so that nobody takes it for the tool's wish."""
        aside = {**seen.values, Field.TITLE: f"{step.card.values[Field.TITLE]} ({step.card.mark})"}
        pair = await self._noted(step.pair.milestone_id) or step.pair
        pair = replace(pair, agreed={**pair.agreed, Field.TITLE: aside[Field.TITLE]})
        if seen.values != aside:
            await self._memory.keep(pair)
            card = replace(step.card, values=aside, is_done=seen.is_done)
            seen = await self._tool.write(seen.id, card, frozenset({Field.TITLE}))
            self._counted(to_tool=1)
        await self._memory.keep(replace(pair, external_id=seen.id))

    async def _noted(self, milestone_id: str) -> Pair | None:
        return next((pair for pair in await self._memory.pairs() if pair.milestone_id == milestone_id), None)

    async def _inward(self, step: Add | Edit | Remove | AskToAdd | AskToEdit | AskToRemove | Tell | Submit) -> None:
        home = self._home
        if isinstance(step, Add):
            await self._memory.hold()
            milestone_id = await home.add(step.external_id, step.url, step.values, step.amount)
            pair = Pair(milestone_id=milestone_id, external_id=step.external_id, agreed=step.values)
        elif isinstance(step, AskToAdd):
            await self._memory.keep(step.pair)  # first, so that asking again is asking for the same
            request_id, milestone_id = await home.ask_to_add(step.pair.agreed, step.amount, once=_once(step))
            pair = replace(step.pair, milestone_id=milestone_id, request_id=request_id, amount="")
        else:
            pair = await self._change(step)
        self._counted(to_earnest=1)
        await self._memory.keep(pair)
        if isinstance(step, AskToAdd):
            await self._memory.forget(step.pair.milestone_id)

    def _counted(self, *, to_earnest: int = 0, to_tool: int = 0) -> None:
        """A write was done, so another round is to see what came of it."""
        self.tally.to_earnest += to_earnest
        self.tally.to_tool += to_tool
        self.tally.is_settled = False

    async def _change(self, step: Edit | Remove | AskToEdit | AskToRemove | Tell | Submit) -> Pair:
        """A write about a milestone that is there; the pair after it."""
        home, pair, milestone_id = self._home, step.pair, step.pair.milestone_id
        if milestone_id in self._skipped:
            raise Moved
        try:
            if isinstance(step, Edit):
                self._version = await home.edit(milestone_id, step.values, version=self._version)
            elif isinstance(step, Remove):
                self._version = await home.remove(milestone_id, version=self._version)
            elif isinstance(step, AskToEdit):
                once = f"edit {milestone_id} {pair.proposals} {_digest(step.values)}"
                return replace(pair, request_id=await home.ask_to_edit(milestone_id, step.values, once=once))
            elif isinstance(step, AskToRemove):
                request_id = await home.ask_to_remove(milestone_id, once=f"remove {milestone_id} {pair.proposals}")
                return replace(pair, request_id=request_id, asks_removal=True, proposed={})
            elif isinstance(step, Tell):
                await home.tell(milestone_id, once=f"done {milestone_id} {pair.dones}")
            elif isinstance(step, Submit):
                await home.submit(milestone_id, once=f"submit {milestone_id} {pair.dones}")
            else:
                assert_never(step)
        except (Moved, Refused, ToolRefused) as refusal:
            self._skipped.add(milestone_id)  # what else was planned for it in this round stands on this
            if isinstance(refusal, ToolRefused):
                self._refused.add(milestone_id)
            raise
        return pair

    async def refused(self, step: Step, field: Field | None) -> None:
        """Remember what Earnest refused, so that it isn't asked again until somebody changes it. What was said with it is."""
        if isinstance(step, Edit | AskToEdit):
            if (pair := await self._noted(step.pair.milestone_id)) is not None:
                wrong = {name: value for name, value in step.values.items() if name is field} or step.values
                await self._memory.keep(replace(pair, refused={**pair.refused, **wrong}))
                self.tally.is_settled = False
        elif isinstance(step, Tell | Submit):
            if isinstance(step, Submit):  # a hint all the same
                with contextlib.suppress(Refused):
                    await self._home.tell(
                        step.pair.milestone_id, once=f"done {step.pair.milestone_id} {step.pair.dones}"
                    )
            await self._memory.keep(step.pair)
            self.tally.is_settled = False
        elif isinstance(step, AskToAdd):
            await self._memory.forget(step.pair.milestone_id)


def _pair_of(step: Create, made: Theirs) -> Pair:
    """The pair of an item that was just made. It counts on, since what was said under a number isn't heard under it again."""
    before = step.before or Pair(milestone_id=step.card.mark, external_id=made.id)
    return Pair(
        milestone_id=step.card.mark,
        external_id=made.id,
        agreed=step.card.values,
        shown=unseen.altered(step.card.values, made),
        done=step.card.is_done,
        dones=before.dones,
        proposals=before.proposals,
    )


def _once(step: AskToAdd) -> str:
    """What is asked for of one item bears one name. One that stands where another of the same words stood is another: more was
    noted before it."""
    number = f" {step.pair.proposals}" if step.pair.proposals else ""
    return f"add {step.pair.external_id} {_digest(step.pair.agreed)} {step.amount}{number}"


def _says_other(now: Theirs | None, before: Theirs) -> bool:
    return now is None or (now.values, now.mark, now.facts, now.is_done) != (
        before.values, before.mark, before.facts, before.is_done,
    )  # fmt: skip


def _digest(values: Values) -> str:
    """A name for what is said, in whatever order: what was noted comes back from the database in another one."""
    return hashlib.sha256(json.dumps(dict(values), sort_keys=True).encode()).hexdigest()[:16]
