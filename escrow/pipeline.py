"""Carries out commands, the one way in which anything changes: read, decide, write, ring.

That is two round trips, and no transaction while Python thinks.
A command that loses a race reads and decides again (optimistic concurrency); one that loses several takes the stream's
lock. The write is shielded from cancellation: whoever asked may be gone, but what happened is never half and never unknown
to the log. What differs between contracts and accounts, `escrow.store.stream` and `escrow.accounts.stream` say.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final, Generic, TypeVar, overload

import asyncpg

from escrow import acts, bell, database, log, meters, spans
from escrow.access import CLOCK, Actor, ActorKind
from escrow.accounts import known_keys
from escrow.accounts.commands import AccountCommand
from escrow.accounts.stream import ACCOUNTS, AccountOutcome
from escrow.agreement.commands import ApplyDeadlines, Command
from escrow.agreement.step import Step
from escrow.aside import aside_if
from escrow.bell import Topic
from escrow.errors import DomainError, NotFound
from escrow.idempotency import Idempotency, arguments, is_conflict, replay
from escrow.log import Sealed
from escrow.store import read, write
from escrow.store.read import Loaded
from escrow.store.stream import CONTRACTS, ContractOutcome
from escrow.store.write import Change
from escrow.stream import C, Decided, L, O, S, Stream
from escrow.stream import Loaded as AnyLoaded

T = TypeVar("T")

__all__ = ["AccountOutcome", "ContractOutcome", "apply_deadlines", "foresee", "run"]

_COMMANDS: Final = meters.Counter(
    "earnest_commands", "Commands by what came of them: done, repeated, refused, failed", "command", "outcome"
)
_REFUSALS: Final = meters.Counter("earnest_refusals", "Refused commands by the code of the refusal", "code")
_SECONDS: Final = meters.Histogram("earnest_command_seconds", "How long commands took, races and refusals included")
_RACES: Final = meters.Counter(
    "earnest_command_races", "Times that a command was decided anew since somebody was faster"
)

_log = logging.getLogger(__name__)


@overload
async def run(command: Command, *, by: Actor, idempotency: Idempotency | None = None) -> ContractOutcome: ...
@overload
async def run(command: AccountCommand, *, by: Actor, idempotency: Idempotency | None = None) -> AccountOutcome: ...
async def run(
    command: Command | AccountCommand, *, by: Actor, idempotency: Idempotency | None = None
) -> ContractOutcome | AccountOutcome:
    """Carry out `command` for `by`.

    Raises the `DomainError` that refuses it; a contract's deadlines that were due are written all the same, unless it is
    `NotFound` or `Forbidden`. With `idempotency` a repetition answers with the first result and does nothing, if `by` may
    see the stream and might give the command; a refused command may be repeated with the same key. Raises
    `log.UnknownEvent` if the stream's log has an event of a later release. What changes what keys open returns when no
    process remembers what they opened before.
    """
    if idempotency is not None and by.account_id is None:
        raise ValueError("only an account has idempotency keys")
    name = type(command).__name__
    if by.kind is not ActorKind.OPERATOR:
        return await _watched(name, command, by, idempotency)
    async with acts.noted(name, by=by, subject=_subject(command)):
        return await _watched(name, command, by, idempotency)


def _subject(command: Command | AccountCommand) -> str | None:
    """The first identifier that a command names."""
    named = (getattr(command, field.name) for field in fields(command) if field.name.endswith("_id"))
    return next((str(one) for one in named if one), None)


async def _watched(
    name: str, command: Command | AccountCommand, by: Actor, idempotency: Idempotency | None
) -> ContractOutcome | AccountOutcome:
    """Carry it out, count it, and leave a line in the log."""
    began = time.perf_counter()
    with spans.span(f"command {name}", earnest_command=name) as span:
        try:
            outcome = await _carry_out(command, by, idempotency)
        except DomainError as refusal:
            _REFUSALS.add(refusal.code)
            span.say(earnest_refusal=refusal.code)
            _ended(name, "refused", began, code=refusal.code)
            raise
        except Exception:
            _ended(name, "failed", began)
            raise
        done = "repeated" if outcome.replayed else "done"
        span.say(earnest_stream=outcome.state.id, earnest_events=len(outcome.recorded))
        _ended(name, done, began, stream=outcome.state.id, events=len(outcome.recorded))
        return outcome


def _ended(name: str, outcome: str, began: float, **said: object) -> None:
    seconds = time.perf_counter() - began
    _COMMANDS.add(name, outcome)
    _SECONDS.observe(seconds)
    _log.info("command", extra={"command": name, "outcome": outcome, "ms": round(seconds * 1000, 1), **said})


async def _carry_out(
    command: Command | AccountCommand, by: Actor, idempotency: Idempotency | None
) -> ContractOutcome | AccountOutcome:
    if isinstance(command, AccountCommand):
        return await _run_on_account(command, by, idempotency)
    return await _run(CONTRACTS, command, by, idempotency)


async def apply_deadlines(contract_ids: Sequence[str]) -> dict[str, Sequence[Sealed]]:
    """Apply what is due on contracts, in two round trips for all of them; answers the events of those where anything was.

    The others are as they were: nothing was due, or it failed, or somebody else is changing them. `run` finds out. What
    PostgreSQL refuses of one, it refuses of all.
    """
    changes: list[Change] = []
    for loaded in await read.load_all(contract_ids):
        with contextlib.suppress(Exception):  # a fault of this one contract, which `run` meets again
            changes += _due(loaded)
    return await database.uncancelled(_write_together(changes)) if changes else {}


def _due(loaded: Loaded) -> list[Change]:
    if loaded.state is None:
        return []
    decided = CONTRACTS.decide(ApplyDeadlines(contract_id=loaded.state.id), loaded, CLOCK)
    sealed = _seal(loaded, decided)
    return [Change.of(loaded, decided.state, sealed)] if sealed else []


async def _write_together(changes: Sequence[Change]) -> dict[str, Sequence[Sealed]]:
    try:
        written = await write.write_all(changes)
    except database.REFUSED:
        return {}
    done = [change for change in changes if change.after.id in written]
    if done:
        await bell.ring(Topic.PENDING, *dict.fromkeys(topic for change in done for topic in change.topics))
    return {change.after.id: change.sealed for change in done}


def _seal(loaded: AnyLoaded[Any, Any], decided: Decided[Any]) -> Sequence[Sealed]:
    return log.seal(decided.state.id, version=loaded.version, last_hash=loaded.last_hash, recorded=decided.recorded)


async def foresee(command: Command, *, by: Actor) -> Step:
    """What `run` would do now, by the same reading and deciding. Nothing is written.

    A refusal is part of the step; also `NotFound` for what `by` may not see. Raises `log.UnknownEvent` as `run` does.
    """
    loaded = await CONTRACTS.load(command, by, None)
    try:
        decided = await aside_if(
            CONTRACTS.is_long(command, loaded), lambda: CONTRACTS.decide(command, loaded, by), owner=by.account_id
        )
    except NotFound as refusal:
        return Step(None, None, (), refusal)
    return Step(loaded.state, decided.after, tuple(decided.recorded), decided.refusal)


async def _run_on_account(command: AccountCommand, by: Actor, idempotency: Idempotency | None) -> AccountOutcome:
    outcome = await _run(ACCOUNTS, command, by, idempotency)
    if _changed_what_opens(command, outcome):
        await known_keys.outlive()
    return outcome


def _changed_what_opens(command: AccountCommand, outcome: AccountOutcome) -> bool:
    """Whether keys or sessions of the account may open less than they did, or something else."""
    if not (command.changes_keys or command.ends_sessions):
        return False
    account = outcome.account
    return outcome.replayed or bool(account.sessions) or (command.changes_keys and bool(account.keys))


async def _run(stream: Stream[C, S, L, O], command: C, by: Actor, idempotency: Idempotency | None) -> O:
    for race in range(stream.races_max):
        if race:
            _RACES.add()
        if race and stream.jitter_seconds:
            await asyncio.sleep(random.random() * stream.jitter_seconds * race)
        attempt = _Attempt(stream, command, by, idempotency)
        if await attempt.read_and_decide() or await database.uncancelled(attempt.write_and_ring()):
            return attempt.answer()
    return await database.uncancelled(_run_locked(stream, command, by, idempotency))


async def _run_locked(stream: Stream[C, S, L, O], command: C, by: Actor, idempotency: Idempotency | None) -> O:
    """Lock first, load second: a statement that had to wait for a lock sees the rest as it was before it waited."""
    while True:
        attempt = _Attempt(stream, command, by, idempotency)
        try:
            async with database.transaction():
                await stream.lock(command, by)
                is_done = await attempt.read_and_decide() or await attempt.write()
        except asyncpg.UniqueViolationError as error:
            if not is_conflict(error, *stream.conflicts):
                raise
            continue
        if is_done:
            await attempt.ring()
            return attempt.answer()


class _Attempt(Generic[C, S, L, O]):
    """One try at a command: what was read, what was decided of it, and whether it could be written."""

    _loaded: L
    _decided: Decided[S]
    _sealed: Sequence[Sealed] = ()
    _topics: Sequence[Topic] = ()
    _replayed = False
    _is_long = False

    def __init__(self, stream: Stream[C, S, L, O], command: C, by: Actor, idempotency: Idempotency | None) -> None:
        self._stream, self._command, self._by, self._idempotency = stream, command, by, idempotency

    async def read_and_decide(self) -> bool:
        """Whether there is nothing to write: it is a repetition, or nothing happened that anybody must remember."""
        key, stream, command, by = self._idempotency, self._stream, self._command, self._by
        self._loaded = loaded = await stream.load(command, by, key.key if key is not None else None)
        first_result = replay(key, loaded.key)
        if first_result is not None:
            self._loaded = loaded = await stream.repeat(command, loaded, first_result, by)
            self._decided = Decided(after=loaded.state, recorded=(), result=first_result)
            self._replayed = True
            return True
        self._is_long = stream.is_long(command, loaded)
        self._decided = decided = await self._here_or_aside(lambda: stream.decide(command, loaded, by))
        if decided.recorded:
            return False
        if decided.refusal is not None:
            raise decided.refusal
        return key is None and decided.beside is None

    async def write_and_ring(self) -> bool:
        """Whether the decision could be written; else somebody was faster."""
        try:
            is_written = await self.write()
        except asyncpg.UniqueViolationError as error:
            if not is_conflict(error, *self._stream.conflicts):
                raise
            return False
        if is_written:
            await self.ring()
        return is_written

    async def write(self) -> bool:
        loaded, decided = self._loaded, self._decided
        self._sealed = await self._here_or_aside(lambda: _seal(loaded, decided))
        key = arguments(self._by, self._idempotency if decided.refusal is None else None, decided.result)
        topics = await self._stream.write(self._command, loaded, decided, self._sealed, key, self._by)
        self._topics = topics or ()
        return topics is not None

    async def _here_or_aside(self, work: Callable[[], T]) -> T:
        """What `work` answers, done where it holds nobody up."""
        return await aside_if(self._is_long, work, owner=self._by.account_id)

    async def ring(self) -> None:
        if self._sealed:
            await bell.ring(Topic.PENDING, *self._topics)

    def answer(self) -> O:
        """The outcome; raises what refused the command, after the deadlines that were due were written."""
        if self._decided.refusal is not None:
            raise self._decided.refusal
        return self._stream.outcome(
            state=self._decided.state,
            version=self._loaded.version + len(self._sealed),
            around=self._loaded.around,
            recorded=tuple(self._sealed),
            result=self._decided.result,
            replayed=self._replayed,
        )
