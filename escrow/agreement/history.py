"""Collects the events of a decision in order, each folded at once, so that the next rule sees its effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from escrow.access import Actor, Side
from escrow.agreement.commands import Command
from escrow.agreement.events import Event, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Contract, Milestone, Surroundings
from escrow.ids import Fresh
from escrow.money import Money


@dataclass(slots=True)
class History:
    """A contract as far as it is decided, the events that led there from where it began, and what a decision knows beside it:
    who asks, the world around, and where new identifiers come from."""

    contract_id: str
    before: Contract | None
    actor: Actor
    around: Surroundings
    fresh: Fresh
    recorded: list[Recorded] = field(default_factory=list)
    _state: Contract | None = field(init=False)

    def __post_init__(self) -> None:
        self._state = self.before

    @property
    def state(self) -> Contract:
        if self._state is None:
            raise ValueError(f"{self.contract_id} has no history yet")
        return self._state

    @property
    def now(self) -> datetime:
        return self.around.now

    @property
    def side(self) -> Side:
        """The side that acts, where `permit` lets only a party act."""
        side = self.state.side_of(self.actor.account_id)
        if side is None:
            raise ValueError(f"{self.actor.account_id} was permitted but is no party")
        return side

    def add(self, event: Event) -> None:
        """Record what happened, now and by the actor."""
        recorded = Recorded(event, self.now, self.actor)
        self._state = evolve(self._state, self.contract_id, recorded)
        self.recorded.append(recorded)

    def trial(self) -> History:
        """A history that begins where this one has come to: what is added to it is added to nothing else."""
        return replace(self, before=self.state, recorded=[])

    def milestone(self, milestone_id: str) -> Milestone:
        """The milestone of that id, which `permit` has found already."""
        milestone = self.state.milestone(milestone_id)
        if milestone is None:
            raise ValueError(f"{milestone_id} was permitted but is not there")
        return milestone

    def money(self, minor: int) -> Money:
        return self.state.money(minor)


Decision = Callable[[History, Any], None]
"""Adds the events of a command of one type; refuses with a `DomainError`."""

Decisions = Mapping[type[Command], Decision]
