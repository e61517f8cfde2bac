"""Earnest and tools in memory, at the seams of `connectors.port`: they do what is asked, and die or lose answers when told to.

Time is a counter: whoever does something is later than everybody before.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from connectors import footer
from connectors.port import Moved, Refused, ToolError, ToolRefused, Writing
from connectors.sides import Card, Field, Ours, OurSide, Pair, Theirs, TheirSide, Values, canonical

T = TypeVar("T")
TODAY = date(2026, 3, 1)
TITLE_MAX = 40


class Died(BaseException):
    """The connector's process is gone."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run what never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: T = ended.value
        return result
    raise AssertionError("it waited for something")


@dataclass(slots=True)
class Fate:
    """What happens to the connector: `after` counts its calls; then it dies before one, or after it, or loses the answer."""

    after: int | None = None
    kind: str = "before"

    def before(self) -> None:
        if self.after is not None:
            self.after -= 1
            if self.after < 0 and self.kind == "before":
                self.after = None
                raise Died

    def afterwards(self) -> None:
        if self.after is not None and self.after < 0:
            self.after = None
            raise Died if self.kind == "after" else ToolError("the answer was lost")


class Clock:
    """A counter."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1)

    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=next(self._ticks))


@dataclass(slots=True)
class Milestone:
    """One of Earnest's."""

    id: str
    values: dict[Field, str]
    amount: int
    state: str
    updated_at: datetime
    names: dict[str, str] = field(default_factory=dict)


class Earnest:
    """A contract, with what happened to it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.milestones: dict[str, Milestone] = {}
        self.version = 1
        self.requests: dict[str, tuple[str, str, Values, int]] = {}
        self.open: set[str] = set()
        self.once: dict[str, Any] = {}
        self.told: Counter[str] = Counter()
        self.money: list[str] = []
        self.writes = 0
        self._ids = itertools.count(1)

    def fresh(self, prefix: str) -> str:
        return f"{prefix}_{next(self._ids):04d}"

    def put(self, values: Values, amount: int, *, milestone_id: str | None = None) -> str:
        milestone_id = milestone_id or self.fresh("mil")
        self.milestones[milestone_id] = Milestone(milestone_id, dict(values), amount, "PLANNED", self.clock.now())
        self.version += 1
        return milestone_id

    def change(self, milestone_id: str, values: Values) -> None:
        found = self.milestones[milestone_id]
        found.values.update(values)
        found.updated_at = self.clock.now()
        self.version += 1

    def move(self, milestone_id: str, state: str) -> None:
        """Somebody funded, released or cancelled it: no connector does."""
        found = self.milestones[milestone_id]
        found.state, found.updated_at = state, self.clock.now()
        self.version += state == "CANCELLED"

    def decide(self, request_id: str, *, accepts: bool) -> None:
        self.open.discard(request_id)
        kind, milestone_id, values, amount = self.requests[request_id]
        found = self.milestones.get(milestone_id)
        if not accepts or (kind != "add" and (found is None or found.state != "PLANNED")):
            return
        if kind == "add":
            self.put(values, amount, milestone_id=milestone_id)
        elif kind == "edit":
            self.change(milestone_id, values)
        else:
            self.move(milestone_id, "CANCELLED")


class Door:
    """What one connector sees of Earnest: a `Home`."""

    def __init__(self, earnest: Earnest, system: str, fate: Fate) -> None:
        self._earnest = earnest
        self._system = system
        self._fate = fate

    async def read(self, noted: Collection[str] = ()) -> OurSide:
        items = {one.id: self._shown(one) for one in self._earnest.milestones.values()}
        return OurSide(
            items=items, version=self._earnest.version, today=TODAY, open_requests=frozenset(self._earnest.open)
        )

    def _shown(self, one: Milestone) -> Ours:
        return Ours(
            id=one.id,
            values=dict(one.values),
            facts=f"{one.amount} {one.state}",
            updated_at=one.updated_at,
            is_open=one.state == "PLANNED",
            is_over=one.state in {"RELEASED", "CANCELLED"},
            is_dropped=one.state == "CANCELLED",
            is_in_hand=one.state == "ACTIVE",
            external_id=one.names.get(self._system),
        )

    async def add(self, external_id: str, url: str | None, values: Values, amount: str) -> str:
        self._fate.before()
        self._check(values)
        known = [one.id for one in self._earnest.milestones.values() if one.names.get(self._system) == external_id]
        if not known:
            known = [self._earnest.put(values, int(amount))]
            self._earnest.milestones[known[0]].names[self._system] = external_id
            self._earnest.writes += 1
        self._fate.afterwards()
        return known[0]

    async def edit(self, milestone_id: str, values: Values, *, version: int) -> int:
        self._fate.before()
        found = self._earnest.milestones[milestone_id]
        self._check(values)
        if version != self._earnest.version or found.state != "PLANNED":
            raise Moved
        assert any(found.values[name] != value for name, value in values.items()), "an echo"
        self._earnest.change(milestone_id, values)
        self._earnest.writes += 1
        self._fate.afterwards()
        return self._earnest.version

    async def remove(self, milestone_id: str, *, version: int) -> int:
        self._fate.before()
        if version != self._earnest.version or self._earnest.milestones[milestone_id].state != "PLANNED":
            raise Moved
        self._earnest.move(milestone_id, "CANCELLED")
        self._earnest.writes += 1
        self._fate.afterwards()
        return self._earnest.version

    async def ask_to_add(self, values: Values, amount: str, *, once: str) -> tuple[str, str]:
        self._check(values)
        request_id = self._filed(once, ("add", self._earnest.fresh("mil"), values, int(amount)))
        return request_id, self._earnest.requests[request_id][1]

    async def ask_to_edit(self, milestone_id: str, values: Values, *, once: str) -> str:
        self._check(values)
        return self._filed(once, ("edit", milestone_id, values, 0))

    async def ask_to_remove(self, milestone_id: str, *, once: str) -> str:
        return self._filed(once, ("remove", milestone_id, {}, 0))

    def _filed(self, once: str, request: tuple[str, str, Values, int]) -> str:
        self._fate.before()
        key = f"{self._system} {once}"
        if key not in self._earnest.once:
            self._earnest.once[key] = request_id = self._earnest.fresh("chg")
            self._earnest.requests[request_id] = request
            self._earnest.open.add(request_id)
            self._earnest.writes += 1
        self._fate.afterwards()
        found: str = self._earnest.once[key]
        return found

    async def tell(self, milestone_id: str, *, once: str) -> None:
        self._said(milestone_id, once)

    async def submit(self, milestone_id: str, *, once: str) -> None:
        if self._earnest.milestones[milestone_id].state != "ACTIVE":
            raise Refused("nothing to submit")
        self._said(milestone_id, once)

    def _said(self, milestone_id: str, once: str) -> None:
        self._fate.before()
        key = f"{self._system} {once}"
        if key not in self._earnest.once:
            self._earnest.once[key] = True
            self._earnest.told[milestone_id] += 1
            self._earnest.writes += 1
        self._fate.afterwards()

    async def name(self, milestone_id: str, external_id: str, url: str | None) -> None:
        self._fate.before()
        names = self._earnest.milestones[milestone_id].names
        names[self._system] = external_id
        if not external_id:
            del names[self._system]
        self._fate.afterwards()

    @staticmethod
    def _check(values: Values) -> None:
        if len(values.get(Field.TITLE, "")) > TITLE_MAX:
            raise Refused("too long")


class Board:
    """A tool: a `Tool`, and what people do in it. With `names` an item's id is its title, as in Trac."""

    def __init__(
        self, clock: Clock, fate: Fate, *, names: bool = False, fields: frozenset[Field] = frozenset(Field)
    ) -> None:
        self._clock = clock
        self._fate = fate
        self._names = names
        self._fields = fields
        self._ids = itertools.count(1)
        self.items: dict[str, Theirs] = {}
        self.hidden: str | None = None
        """What a listing leaves out, though it is there."""
        self.writes = 0

    def put(self, values: Values, *, amount: str | None = None, mark: str | None = None) -> str:
        """Somebody makes an item; with a mark they copied another."""
        item = Theirs(id=self._fresh(values), values=self._kept(values), mark=mark, price=footer.price(amount or ""))
        self.items[item.id] = replace(item, updated_at=self._clock.now())
        return item.id

    def change(self, external_id: str, values: Values, **beside: Any) -> str:
        """Somebody changes an item; its id afterwards."""
        item = self.items[external_id]
        said = {**item.values, **self._kept(values)}
        renamed = self._names and values.get(Field.TITLE, external_id) != external_id
        item = replace(item, values=said, updated_at=self._clock.now(), **beside)
        item = replace(item, id=self._fresh(said) if renamed else external_id)
        del self.items[external_id]
        self.items[item.id] = item
        return item.id

    def delete(self, external_id: str) -> None:
        del self.items[external_id]

    async def read(self) -> TheirSide:
        listed = {name: item for name, item in self.items.items() if name != self.hidden}
        return TheirSide(items=listed, fields=self._fields)

    async def look(self, external_id: str) -> Theirs | None:
        return self.items.get(external_id)

    unseen_seconds = 0.0

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        return None

    async def create(self, card: Card) -> Theirs:
        self._fate.before()
        made = self.put(card.values, mark=card.mark)
        self.items[made] = replace(self.items[made], facts=card.facts, is_done=card.is_done)
        self.writes += 1
        self._fate.afterwards()
        return self.items[made]

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        self._fate.before()
        before = self.items[external_id]
        values = {name: card.values[name] for name in changed}
        assert all(before.values[name] != value for name, value in values.items()), "an echo"
        made = self.change(external_id, values, mark=card.mark, facts=card.facts, is_done=card.is_done)
        after = replace(self.items[made], updated_at=None, id="")
        assert after != replace(before, updated_at=None, id=""), "a write that changes nothing"
        self.writes += 1
        self._fate.afterwards()
        return self.items[made]

    async def close(self) -> None:
        """It holds nothing."""

    def _fresh(self, values: Values) -> str:
        if not self._names:
            return f"{next(self._ids):04d}"
        if values[Field.TITLE] in self.items:
            raise ToolRefused("another item is called so already")
        return values[Field.TITLE]

    def _kept(self, values: Values) -> dict[Field, str]:
        """As a tool keeps texts: with what it likes around them. Reading makes them canonical again."""
        return {name: canonical(f"{value} \r\n") for name, value in values.items() if name in self._fields}


class Notebook:
    """A `Memory`; `Fate` may strike at each note, too."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate
        self.noted: dict[str, Pair] = {}
        self.written: dict[str, Writing] = {}
        self.is_late = False
        """Whether what was written was so longer ago than any tool may take to show it."""

    async def pairs(self) -> Sequence[Pair]:
        return list(self.noted.values())

    async def forget(self, milestone_id: str) -> None:
        self._fate.before()
        self.noted.pop(milestone_id, None)

    async def hold(self) -> None:
        self._fate.before()

    async def keep(self, pair: Pair) -> None:
        self._fate.before()
        self.noted[pair.milestone_id] = pair
        if self._fate.after is not None and self._fate.after < 0:
            self._fate.after = None
            raise Died

    async def intend(self, writing: Writing) -> None:
        self._fate.before()
        self.written[writing.milestone_id] = writing

    async def writings(self, unseen_seconds: float) -> Sequence[Writing]:
        return [replace(one, is_late=self.is_late or not unseen_seconds) for one in self.written.values()]

    async def seen(self, milestone_ids: Sequence[str]) -> None:
        self._fate.before()
        for milestone_id in milestone_ids:
            self.written.pop(milestone_id, None)
