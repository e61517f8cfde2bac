"""The one way that a contract changes: read, decide, write, ring. Two round trips, and no transaction while Python thinks.

A command that loses a race reads and decides again; one that loses several takes the contract's lock. The write is
shielded from cancellation: whoever asked may be gone, but what happened is never half and never unknown to the log.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from escrow import bell, codec, database, ids, log, references
from escrow.access import Actor, may_see
from escrow.agreement import commands
from escrow.agreement.authorisation import forbidden_by_table
from escrow.agreement.commands import Command, PartyCommand
from escrow.agreement.decisions.imports import ROWS_MAX
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import Step, step
from escrow.bell import Topic
from escrow.errors import NotFound
from escrow.idempotency import Idempotency, replay
from escrow.ids import Kind
from escrow.log import Sealed
from escrow.references import Names, Notes
from escrow.rules import NAMINGS
from escrow.store import read
from escrow.store import write as store_write
from escrow.store.read import Loaded, Subject

RACES_MAX: Final = 2
"""How often a command decides without a lock. Of 16 writers on 400 contracts one command in 40 decides twice and one in
1,500 needs the lock; 50 writers on one contract end a third sooner than with four tries."""

NOBODY: Final = ""
"""An identifier that no row has."""

JITTER_SECONDS: Final = 0.004
"""The longest wait before deciding anew: enough to part two that keep meeting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a command."""

    contract: Contract
    """As it is after the command; for a repetition, as it is now."""
    version: int
    """The sequence of the contract's last event."""
    around: Surroundings
    """The world as the decision saw it."""
    recorded: tuple[Sealed, ...]
    """The events in the order of the log, those of deadlines that were due first; none for a repetition."""
    result: Mapping[str, str]
    """The ids of what the command made or named, by name: `contract_id`, `milestone_id`, …"""
    replayed: bool = False


async def run(command: Command, *, by: Actor, idempotency: Idempotency | None = None) -> Outcome:
    """Carry out `command` for `by`.

    Raises the `DomainError` that refuses it; deadlines that were due are written all the same, unless it is `NotFound`
    or `Forbidden`. With `idempotency` a repetition answers with the first result and does nothing, if `by` may see the
    contract and the table of roles lets it ask; a refused command may be repeated with the same key. Raises
    `log.UnknownEvent` if the contract's log has an event of a later release.
    """
    for race in range(RACES_MAX):
        if race:
            await asyncio.sleep(random.random() * JITTER_SECONDS * race)
        attempt = _Attempt(command, by, idempotency)
        if await attempt.read_and_decide() or await database.uncancelled(attempt.write()):
            return attempt.answer()
    return await database.uncancelled(_run_locked(command, by, idempotency))


async def foresee(command: Command, *, by: Actor) -> tuple[Step, Surroundings]:
    """What `run` would do now, by the same reading and deciding, and the world as the decision saw it. Nothing is written.

    A refusal is part of the step; also `NotFound` for what `by` may not see. Raises `log.UnknownEvent` as `run` does.
    """
    loaded = await read.load(subject_of(command), account_id=by.account_id)
    try:
        _check_visible(command, loaded, by)
    except NotFound as refusal:
        return Step(None, None, (), refusal), loaded.around
    if isinstance(command, commands.ImportMilestones):
        command = references.resolved(command, loaded.known, loaded.contract)
    return _decide(command, loaded, by), loaded.around


async def _run_locked(command: Command, by: Actor, idempotency: Idempotency | None) -> Outcome:
    """Lock first, load second: a statement that had to wait for a lock sees the rest as it was before it waited."""
    while True:
        attempt = _Attempt(command, by, idempotency)
        try:
            async with database.transaction():
                await read.lock(attempt.subject)
                written = await attempt.read_and_decide() or await attempt.write_only()
        except asyncpg.UniqueViolationError as error:
            _raise_unless_taken(error)
            continue
        if written:
            await attempt.ring()
            return attempt.answer()


class _Attempt:
    """One try at a command: what was read, what was decided of it, and whether it could be written."""

    def __init__(self, command: Command, by: Actor, idempotency: Idempotency | None) -> None:
        if idempotency is not None and by.account_id is None:
            raise ValueError("only an account has idempotency keys")
        self._command, self._by, self._idempotency = command, by, idempotency
        self.subject = subject_of(command)
        self._replayed: Mapping[str, str] | None = None
        self._sealed: list[Sealed] = []
        self._step = Step(None, None, ())
        self._notes: Notes | None = None

    async def read_and_decide(self) -> bool:
        """Whether there is nothing to write: it is a repetition, or nothing happened that anybody must remember."""
        key = self._idempotency
        self._loaded = loaded = await read.load(
            self.subject, account_id=self._by.account_id, key=key.key if key else None
        )
        self._replayed = replay(key, loaded.key)
        _check_visible(self._command, loaded, self._by)
        if self._replayed is not None:
            _check_may_repeat(self._command, loaded, self._by)
            return True
        if isinstance(self._command, commands.ImportMilestones):
            self._command = references.resolved(self._command, loaded.known, loaded.contract)
            self._notes = references.notes(self._command, loaded.known, account_id=self._by.account_id)
        self._step = _decide(self._command, loaded, self._by)
        if self._step.recorded:
            return False
        if self._step.refusal is not None:
            raise self._step.refusal
        return key is None and self._notes is None

    async def write(self) -> bool:
        """Whether the decision could be written; else somebody was faster. Rings the bell if it was."""
        try:
            written = await self.write_only()
        except asyncpg.UniqueViolationError as error:
            _raise_unless_taken(error)
            return False
        if written:
            await self.ring()
        return written

    async def write_only(self) -> bool:
        loaded, after, accepted = self._loaded, self._step.after, self._step.refusal is None
        if after is None:
            raise ValueError(f"{type(self._command).__name__} made events but no contract")
        self._sealed = log.seal(
            after.id, version=loaded.version, last_hash=loaded.last_hash, recorded=self._step.recorded
        )
        return await store_write.write(
            loaded,
            after,
            self._sealed,
            account_id=self._by.account_id,
            key=self._idempotency if accepted else None,
            result=result_of(self._command, after),
            notes=self._notes if accepted else None,
        )

    async def ring(self) -> None:
        before, after = self._step.before, self._step.after
        if after is None or not self._sealed:
            return
        topics = [Topic.PENDING]
        if store_write.changes_orders(before, after):
            topics.append(Topic.ORDERS)
        if store_write.changes_deadlines(before, after):
            topics.append(Topic.DEADLINES)
        await bell.ring(*topics)

    def answer(self) -> Outcome:
        """The outcome; raises what refused the command, after its due deadlines were written."""
        if self._step.refusal is not None:
            raise self._step.refusal
        contract = self._step.after or self._loaded.contract
        if contract is None:
            raise ValueError(f"{type(self._command).__name__} left no contract")
        return Outcome(
            contract=contract,
            version=self._loaded.version + len(self._sealed),
            around=self._loaded.around,
            recorded=tuple(self._sealed),
            result=self._replayed if self._replayed is not None else result_of(self._command, contract),
            replayed=self._replayed is not None,
        )


def _decide(command: Command, loaded: Loaded, by: Actor) -> Step:
    if loaded.is_beyond_us:
        raise log.UnknownEvent("this contract's log has an event of a later release: update Earnest")
    return step(loaded.contract, command, actor=by, around=loaded.around, fresh=ids.new)


def subject_of(command: Command) -> Subject:
    """What a command needs to have loaded."""
    if isinstance(command, commands.Propose):
        return Subject(
            client_id=_one(Kind.ACCOUNT, command.client_id),
            freelancer_id=_one(Kind.ACCOUNT, command.freelancer_id),
        )
    # What a command is about to make is not there to be loaded.
    makes_order = isinstance(command, commands.Fund | commands.FundContract | commands.RequestPayout)
    return Subject(
        names=Names(command.system, tuple(row.external_id for row in command.rows[:ROWS_MAX]))
        if isinstance(command, commands.ImportMilestones)
        else None,
        contract_id=_one(Kind.CONTRACT, getattr(command, "contract_id", None)),
        milestone_id=_one(Kind.MILESTONE, getattr(command, "milestone_id", None)),
        milestone_ids=_milestone_ids(command),
        deposit_id=None if makes_order else _one(Kind.DEPOSIT, getattr(command, "deposit_id", None)),
        order_id=None if makes_order else _one(Kind.ORDER, getattr(command, "order_id", None)),
        refund_id=_one(Kind.REFUND_REQUEST, getattr(command, "refund_id", None)),
        dispute_id=_one(Kind.DISPUTE, getattr(command, "dispute_id", None)),
        change_request_id=_one(Kind.CHANGE_REQUEST, getattr(command, "change_request_id", None)),
    )


def _milestone_ids(command: Command) -> tuple[str, ...]:
    """The milestones that the operations of a change request are about."""
    if not isinstance(command, commands.FileChangeRequest):
        return ()
    about = (change.milestone_id for change in command.changes if not isinstance(change, commands.AddChange))
    return tuple(one for one in about if ids.is_a(Kind.MILESTONE, one))


def _one(kind: Kind, identifier: str | None) -> str | None:
    """An identifier as it was given; one that no row can have never reaches SQL, which may not even be able to say it."""
    if identifier is None or ids.is_a(kind, identifier):
        return identifier
    return NOBODY


def result_of(command: Command, after: Contract) -> dict[str, str]:
    """The ids that the answer to a command is about, by name; stored with an idempotency key."""
    named = {name: getattr(command, name, None) for name in _RESULT_IDS}
    if isinstance(command, commands.AddMilestone):
        named["milestone_id"] = command.milestone.id
    elif isinstance(command, commands.PostUpdate):
        named["update_number"] = str(after.updates_posted)
    elif isinstance(command, commands.ImportMilestones):
        named["milestone_ids"] = " ".join(row.milestone_id for row in command.rows)
    return {"contract_id": after.id} | {name: value for name, value in named.items() if value is not None}


_RESULT_IDS: Final = (
    "milestone_id", "submission_id", "deposit_id", "bonus_deposit_id", "order_id", "refund_id", "dispute_id",
    "change_request_id",
)  # fmt: skip


def _check_visible(command: Command, loaded: Loaded, by: Actor) -> None:
    contract = loaded.contract
    if isinstance(command, commands.Propose):
        return  # it names no contract: one is loaded only for a repetition, which the table of roles decides about
    if contract is None or not may_see(
        by,
        contract_id=contract.id,
        client_id=contract.client_id,
        freelancer_id=contract.freelancer_id,
        is_mediator=loaded.around.mediator is not None,
        was_disputed=contract.was_disputed,
    ):
        raise _not_found(command)


def _check_may_repeat(command: Command, loaded: Loaded, by: Actor) -> None:
    """The key belongs to the account, the answer only to those of its keys that might have given the command.

    What depends on the state is not asked again: the repetition of what was done is no error, whatever came after.
    """
    side = loaded.contract.side_of(by.account_id) if loaded.contract is not None else None
    if isinstance(command, PartyCommand):
        is_mediator = loaded.around.mediator is not None
        refusal = forbidden_by_table(by, command.action, side, is_mediator=is_mediator)
        if refusal is not None:
            raise refusal


def _not_found(command: Command) -> NotFound:
    """The contract can't be told from what led to it: both don't exist for who asks."""
    for way in NAMINGS.values():
        identifier = getattr(command, way.field, None)
        if identifier is not None:
            return NotFound(f"There is no {way.spoken} {identifier}.", field=codec.camel(way.field))
    raise ValueError(f"{type(command).__name__} names nothing")


def _raise_unless_taken(error: asyncpg.UniqueViolationError) -> None:
    """Another command took the same key or the same name faster: reading again finds it. Anything else is a fault."""
    if error.constraint_name not in ("idempotency_keys_pkey", *references.TAKEN):
        raise error
