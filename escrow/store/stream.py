"""Tells the pipeline how a command on a contract is read, decided about and written, and who sees the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from escrow import codec, ids, log
from escrow.access import Actor, ActorKind
from escrow.agreement.authorisation import forbidden_by_table, sees
from escrow.agreement.commands import Command, PartyCommand
from escrow.agreement.state import Contract, Surroundings
from escrow.agreement.step import step
from escrow.aside import LONG_MILESTONES
from escrow.bell import Topic
from escrow.errors import NotFound
from escrow.ids import Kind
from escrow.log import Sealed
from escrow.payments.tokens_at_rest import with_sealed_tokens
from escrow.rules import NAMINGS, Naming
from escrow.store import imports, read, write
from escrow.store.read import Loaded, Subject
from escrow.store.write import Change
from escrow.stream import Beside, Decided, Outcome, Stream

BESIDE: Final[Mapping[type[Command], Beside[Any, Contract]]] = {**imports.BESIDE}
"""What commands read and write beside their contract, by their type."""

_SEE_ALL: Final = (ActorKind.OPERATOR, ActorKind.PROVIDER, ActorKind.CLOCK)

NOBODY: Final = ""
"""An identifier that no row has."""

_WAYS: Final = tuple(NAMINGS.values())
_PARTIES: Final = (Naming("client_id", Kind.ACCOUNT, "account"), Naming("freelancer_id", Kind.ACCOUNT, "account"))
"""What the command that makes a contract names instead of a way to it."""
_KINDS: Final = {one.field: one.kind for one in (*_WAYS, *_PARTIES)}


class ContractOutcome(Outcome[Contract, Surroundings]):
    """What came of a command on a contract."""

    @property
    def contract(self) -> Contract:
        return self.state


def subject_of(command: Command) -> Subject:
    """What a command needs to have loaded; what it is about to make is not there."""
    return Subject(
        **{name: _sayable(_KINDS[name], one) for name, one in command.named.items() if name in _KINDS},
        milestone_ids=tuple(one for one in command.milestone_ids if ids.is_a(Kind.MILESTONE, one)),
    )


def _sayable(kind: Kind, identifier: str | None) -> str | None:
    """An identifier as it was given; one that no row can have never reaches SQL, which may not even be able to say it."""
    return identifier if identifier is None or ids.is_a(kind, identifier) else NOBODY


async def _load(command: Command, by: Actor, key: str | None) -> Loaded:
    beside = BESIDE.get(type(command))
    lookup = beside.lookup(command, by) if beside is not None else None
    return await read.load(
        subject_of(command),
        account_id=by.account_id,
        key=key,
        beside=lookup,
        sees_all=by.kind in _SEE_ALL,
        within=sorted(by.contract_ids) if by.contract_ids is not None else None,
    )


async def _repeat(command: Command, loaded: Loaded, _: Mapping[str, str], by: Actor) -> Loaded:
    """What was read is what the first command was about, also for a proposal, to which its key leads.

    What depends on the state is not asked again: the repetition of what was done is no error, whatever came after.
    """
    _check_visible(command, loaded, by)
    if isinstance(command, PartyCommand):
        side = loaded.state.side_of(by.account_id) if loaded.state is not None else None
        is_mediator = loaded.around.mediator is not None
        refusal = forbidden_by_table(by, command.action, side, is_mediator=is_mediator)
        if refusal is not None:
            raise refusal
    return loaded


def _check_visible(command: Command, loaded: Loaded, by: Actor) -> None:
    """The contract can't be told from what led to it: both don't exist for who asks.

    A command that makes its contract names none; one is loaded only for its repetition, which the table of roles decides
    about.
    """
    contract, named = loaded.state, command.named
    way = next((one for one in _WAYS if named.get(one.field) is not None), None)
    if way is not None and (contract is None or not sees(by, contract, loaded.around)):
        raise NotFound(f"There is no {way.spoken} {named[way.field]}.", field=codec.camel(way.field))


def _decide(command: Command, loaded: Loaded, by: Actor) -> Decided[Contract]:
    _check_visible(command, loaded, by)
    if loaded.is_beyond_us:
        raise log.UnknownEvent("this contract's log has an event of a later release: update Earnest")
    beside = BESIDE.get(type(command))
    if beside is not None:
        command = beside.resolve(command, loaded.beside, loaded.state)
    found = step(loaded.state, command, actor=by, around=loaded.around, fresh=ids.new)
    return Decided(
        after=found.after,
        recorded=found.recorded,
        refusal=found.refusal,
        result=command.result(found.after) if found.after is not None else {},
        beside=beside.rows(command, loaded.beside, by) if beside is not None and found.refusal is None else None,
        clocks_before=found.clocks_before,
    )


def _is_long(command: Command, loaded: Loaded) -> bool:
    there = len(loaded.state.milestones) if loaded.state is not None else 0
    return max(len(getattr(command, "plan", None) or ()), there) > LONG_MILESTONES


async def _write(
    _: Command, loaded: Loaded, decided: Decided[Contract], sealed: Sequence[Sealed], key: Sequence[object], by: Actor
) -> Sequence[Topic] | None:
    after = with_sealed_tokens(loaded.state, decided.state)
    change = Change.of(loaded, after, sealed, clocks_before=decided.clocks_before)
    return change.topics if await write.write(change, owner=by.account_id, key=key, beside=decided.beside) else None


CONTRACTS: Final = Stream(
    outcome=ContractOutcome,
    load=_load,
    lock=lambda command, _: read.lock(subject_of(command)),
    repeat=_repeat,
    decide=_decide,
    is_long=_is_long,
    write=_write,
    # Of 16 writers on 400 contracts one command in 40 decides twice and one in 1,500 needs the lock; 50 writers on one
    # contract end a third sooner than with four tries.
    races_max=2,
    jitter_seconds=0.004,
    conflicts=[name for beside in BESIDE.values() for name in beside.conflicts],
)
