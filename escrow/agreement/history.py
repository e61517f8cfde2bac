"""Collects the events of a decision in order, each folded at once, so that the next rule sees its effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from escrow.access import Actor, Side
from escrow.agreement.commands import Command
from escrow.agreement.events import Event, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Contract, Milestone, Surroundings
from escrow.ids import Fresh
from escrow.money import Money


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision knows beside the contract: who asks, the world around, and where new identifiers come from."""

    actor: Actor
    around: Surroundings
    fresh: Fresh

    @property
    def now(self) -> datetime:
        return self.around.now

    def side_in(self, contract: Contract) -> Side:
        """The side that acts, where `permit` lets only a party act."""
        side = contract.side_of(self.actor.account_id)
        if side is None:
            raise ValueError(f"{self.actor.account_id} was permitted but is no party")
        return side


@dataclass(slots=True)
class History:
    """A contract as far as it is decided, and the events that led there from where it began."""

    contract_id: str
    before: Contract | None
    recorded: list[Recorded] = field(default_factory=list)
    _state: Contract | None = None

    def __post_init__(self) -> None:
        self._state = self.before

    @property
    def state(self) -> Contract:
        if self._state is None:
            raise ValueError(f"{self.contract_id} has no history yet")
        return self._state

    def add(self, event: Event, context: Context) -> None:
        """Record what happened, at the time and by the actor of the context."""
        recorded = Recorded(event, context.now, context.actor)
        self._state = evolve(self._state, self.contract_id, recorded)
        self.recorded.append(recorded)

    def milestone(self, milestone_id: str) -> Milestone:
        """The milestone of that id, which `permit` has found already."""
        milestone = self.state.milestone(milestone_id)
        if milestone is None:
            raise ValueError(f"{milestone_id} was permitted but is not there")
        return milestone

    def money(self, minor: int) -> Money:
        return self.state.money(minor)


Decision = Callable[[History, Any, Context], None]
"""Adds the events of a command of one type; refuses with a `DomainError`."""

Decisions = Mapping[type[Command], Decision]
