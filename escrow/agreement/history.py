"""What a decision writes as it goes: events in order, each folded at once, so that the next rule sees its effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from escrow.access import Actor
from escrow.agreement.commands import Command
from escrow.agreement.events import Event, Recorded
from escrow.agreement.evolve import evolve
from escrow.agreement.state import Contract, Surroundings
from escrow.ids import Fresh
from escrow.money import Money


@dataclass(frozen=True, slots=True)
class Desk:
    """Who asks, what is known of the world, and where new identifiers come from."""

    actor: Actor
    around: Surroundings
    fresh: Fresh

    @property
    def now(self) -> datetime:
        return self.around.now


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

    def add(self, event: Event, *, at: datetime, by: Actor) -> None:
        recorded = Recorded(event, at, by)
        self._state = evolve(self._state, self.contract_id, recorded)
        self.recorded.append(recorded)

    def money(self, minor: int) -> Money:
        return self.state.money(minor)


Decision = Callable[[History, Any, Desk], None]
"""Adds the events of a command of one type; refuses with a `DomainError`."""

Decisions = Mapping[type[Command], Decision]
