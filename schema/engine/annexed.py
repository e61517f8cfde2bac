"""Hands operations that are dear, or long, to the annex: a runner of its own runs them there, and prints their answers.

What they cost is paid at home. What the annex remembers (documents, compiled operations) is its own: nothing is shared that
two threads would change.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

import orjson

from escrow.annex import Annex, Crowded, at_home
from schema.engine.budget import CROWDED_SECONDS, Budget, OverBudget
from schema.engine.context import Context
from schema.engine.sources import SourceEvent
from schema.engine.told import Answer

Asked = TypeVar("Asked", contravariant=True)

DEAR: Final = 1_000
"""Points from which an operation is run in the annex: about 10 ms of a process, which the home loop is never held for."""


class Runs(Protocol[Asked]):
    """A runner of operations, as `schema.engine.execution` has it."""

    async def run(self, operation: Asked, context: Context, *, only_queries: bool = False) -> Answer:
        """Run it; the answer says everything."""

    async def answered(
        self, operation: Asked, context: Context, source_event: SourceEvent
    ) -> tuple[bytes | None, float]:
        """The answer of a subscription to a source event, printed, and what it cost beyond its price."""


class AtHome:
    """A budget of the home loop, as an operation in the annex sees it, or one that may have to be done again; what is charged
    reaches it by `settle`."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.charged = 0.0

    def settle(self) -> None:
        """Charge all of it now; in the loop of the budget."""
        charged, self.charged = self.charged, 0.0
        self._budget.charge(charged)

    async def spend(self, points: float) -> None:
        await at_home(lambda: self._budget.spend(points))

    def charge(self, points: float) -> None:
        self.charged += points

    def told(self) -> Mapping[str, Any]:
        told = dict(self._budget.told())
        told["requested"] += math.ceil(self.charged)
        told["available"] = max(told["available"] - math.floor(self.charged), 0)
        return told


class Annexed(Generic[Asked]):
    """The runner in the annex."""

    def __init__(self, annex: Annex, runner: Runs[Asked]) -> None:
        self._annex, self._runner = annex, runner

    async def run(self, operation: Asked, context: Context, *, only_queries: bool) -> Answer:
        """What `Runner.run` answers or raises, printed. Raises `OverBudget` if whoever asks has too much waiting."""
        budget = AtHome(context.budget) if context.budget is not None else None
        try:
            return await self._annex.run(
                lambda: self._printed(operation, context, budget, only_queries), owner=context.owner
            )
        except Crowded:
            raise OverBudget.crowded() from None
        finally:
            if budget is not None:
                budget.settle()

    async def answered(
        self, operation: Asked, context: Context, source_event: SourceEvent
    ) -> tuple[bytes | None, float]:
        """What `Runner.answered` answers; whoever has too much waiting waits until there is room."""
        there = Context(actor=context.actor, sandbox=context.sandbox, reach=context.reach)
        while True:
            try:
                return await self._annex.run(
                    lambda: self._runner.answered(operation, there, source_event), owner=context.owner
                )
            except Crowded:
                await asyncio.sleep(CROWDED_SECONDS)

    async def _printed(self, operation: Asked, context: Context, budget: AtHome | None, only_queries: bool) -> Answer:
        await context.begin()
        # Made here, so that what it holds is let go of here: freeing thousands of objects takes milliseconds, too.
        there = Context(
            actor=context.actor, sandbox=context.sandbox, reach=context.reach, budget=budget, still=context.still
        )
        answer = await self._runner.run(operation, there, only_queries=only_queries)
        return answer.as_printed(in_pieces(answer.body)) if answer.ran else answer


def in_pieces(body: Mapping[str, Any]) -> bytes:
    """The JSON of an answer. Each entry of its lists is printed by itself: the printer lets no other thread run meanwhile."""
    return orjson.dumps(_pieces(body))


def _pieces(value: Any) -> Any:
    if value.__class__ is dict:
        return {name: _pieces(inner) for name, inner in value.items()}
    if value.__class__ is list:
        return [orjson.Fragment(orjson.dumps(one)) for one in value]
    return value
