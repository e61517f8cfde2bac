"""Says what a kind of stream gives to the pipeline: how it is read, decided about and written, and what comes of a command.

`escrow.store.stream` does it for contracts and `escrow.accounts.stream` for accounts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from escrow.access import Actor
from escrow.accounts.state import Account
from escrow.agreement.deadlines import Deadline
from escrow.agreement.events import Recorded
from escrow.agreement.state import Contract
from escrow.bell import Topic
from escrow.database import Record
from escrow.errors import DomainError
from escrow.idempotency import StoredKey
from escrow.log import Sealed

C = TypeVar("C")
S = TypeVar("S", bound=Contract | Account)
A = TypeVar("A")
L = TypeVar("L", bound="Loaded[Any, Any]")
O = TypeVar("O", bound="Outcome[Any, Any]")  # noqa: E741 - an outcome


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of SQL that goes into a statement, with arguments of its own; `sql` makes it of the number of the first."""

    sql: Callable[[int], str]
    arguments: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside(Generic[C, S]):
    """What commands of one type read with their stream, and write with it, in tables beside its own."""

    lookup: Callable[[C, Actor], Fragment]
    """An expression: an array of the rows that the command names."""
    resolve: Callable[[C, Sequence[Record], S | None], C]
    """The command with what was found, so that deciding asks nobody."""
    rows: Callable[[C, Sequence[Record], Actor], Fragment | None]
    """CTEs that write what came of a resolved command, hung on that of the stream; `None` if there is nothing to write."""
    conflicts: Collection[str]
    """Unique constraints that refuse a row which somebody else wrote at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded(Generic[S, A]):
    """A stream's state, if it has begun, and what a decision about it asks of the world, all of one moment."""

    state: S | None
    version: int
    """The sequence of the stream's last event; 0 before the first."""
    last_hash: str | None
    last_event_at: datetime | None
    around: A
    key: StoredKey | None
    """The actor's idempotency key, if one was named and a command has used it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Generic[S]):
    """What a decision came to. A refused command may leave events that were due without it; they are written first."""

    after: S | None
    recorded: Sequence[Recorded]
    refusal: DomainError | None = None
    result: Mapping[str, str]
    beside: Fragment | None = None
    clocks_before: Sequence[Deadline] | None = None
    """Of a contract: the deadlines that ran before, if deciding found them out."""

    @property
    def state(self) -> S:
        """The state after it; only a refused command may leave none."""
        if self.after is None:
            raise ValueError("a command that wasn't refused left nothing")
        return self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[S, A]):
    """What came of a command."""

    state: S
    """As it is after the command; for a repetition, as it is now."""
    version: int
    """The sequence of the stream's last event."""
    around: A
    """The world as the decision saw it."""
    recorded: tuple[Sealed, ...]
    """The events in the order of the log, those of deadlines that were due first; none for a repetition."""
    result: Mapping[str, str]
    """The ids of what the command made or named, by name: `contract_id`, `milestone_id`, …"""
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream(Generic[C, S, L, O]):
    """How commands on one kind of stream are carried out. Each function refuses with a `DomainError`."""

    outcome: type[O]
    load: Callable[[C, Actor, str | None], Awaitable[L]]
    """Everything that deciding needs, in one statement, and the actor's idempotency key of that name."""
    lock: Callable[[C, Actor], Awaitable[None]]
    """Waits until nobody else changes the stream, and holds it until the transaction ends."""
    repeat: Callable[[C, L, Mapping[str, str], Actor], Awaitable[L]]
    """The stream of a repetition as it is now, with what the first result names, for who might have given the command."""
    decide: Callable[[C, L, Actor], Decided[S]]
    is_long: Callable[[C, L], bool] = lambda _, __: False
    """Whether deciding, and sealing what comes of it, takes so long that it is done beside the event loop."""
    write: Callable[[C, L, Decided[S], Sequence[Sealed], Sequence[object], Actor], Awaitable[Sequence[Topic] | None]]
    """Writes it all, with the key by `idempotency.arguments`, and answers what the bell rings for beside `PENDING`; or writes
    nothing and answers `None`, if the version was another one."""
    races_max: int
    """How often a command decides without a lock."""
    jitter_seconds: float = 0.0
    """The longest wait before deciding anew: enough to part two that keep meeting."""
    conflicts: Collection[str] = ()
    """Unique constraints that two commands may break against each other; reading again finds what the other has left."""
