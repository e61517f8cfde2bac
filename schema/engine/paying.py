"""Pays for the answers of one subscription, each before it is made: nobody asks for them one by one.

Whoever has nothing left gets the next one later. A stream that falls too far behind meanwhile ends as that of any slow reader
does, and goes on from its cursor.
"""

from __future__ import annotations

import asyncio
from typing import Final

from schema.engine import costs
from schema.engine.annexed import DEAR
from schema.engine.budget import Budget, OverBudget
from schema.engine.context import Context
from schema.engine.limits import LIST_LENGTH_ASSUMED

WAIT_SECONDS_MAX: Final = 5.0
"""How long at most until it is looked at again whether there are points by now: others of the same account may have used less."""


class Paying:
    """The purse of one subscription; `cost` is what was paid when it was opened."""

    def __init__(self, budget: Budget | None, cost: float) -> None:
        self._budget = budget
        self._price = costs.ANSWER + max(cost - costs.OPERATION - costs.SUBSCRIBED, 0)
        self._beyond = 0.0
        """What the last answer cost beyond that, since its lists were longer than was assumed."""

    @property
    def is_dear(self) -> bool:
        """Whether the next answer belongs into the annex, as far as can be told from the last one."""
        return self._price + self._beyond > DEAR

    async def next(self) -> None:
        """Return once the next answer is paid for."""
        while self._budget is not None:
            try:
                await self._budget.spend(self._price)
            except OverBudget as over:
                await asyncio.sleep(min(over.retry_after_seconds, WAIT_SECONDS_MAX))
            else:
                return

    def made(self, beyond: float) -> None:
        """An answer was made, and cost so much more."""
        self._beyond = beyond
        if beyond and self._budget is not None:
            self._budget.charge(beyond)

    def sent(self) -> None:
        """An answer was sent."""
        if self._budget is not None:
            self._budget.charge(costs.FRAME)


def beyond(context: Context) -> float:
    """What an answer cost more than was assumed, by the lists that it turned out to have."""
    return max(context.listed - LIST_LENGTH_ASSUMED, 0) * context.listed_price
