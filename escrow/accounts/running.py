"""One command on an account, whole: read, decide, write, ring. The same way as a contract's, in two round trips.

A lost race reads and decides again; who loses too often takes the account's row for itself first. The write is shielded
from cancellation, so its outcome is always known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import asyncpg

from escrow import bell, database, ids, log
from escrow.access import Actor, ActorKind
from escrow.accounts import commands, queries, store
from escrow.accounts.commands.endpoints import EndpointCommand
from escrow.accounts.decide import decide, entitle
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account
from escrow.accounts.tokens import Token
from escrow.agreement.events import Recorded
from escrow.errors import InvalidState
from escrow.idempotency import Idempotency, replay

RACES_MAX: Final = 4
"""So often a command tries without a lock. Commands on one account are rare; more losses mean a crowd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a command."""

    account: Account
    """As it is after the command; for a repetition, as it is now. A member, key or endpoint that the result names is in it."""
    result: Mapping[str, str]
    """The ids of what the command made or named, by name: `account_id`, and `member_id`, `key_id` or
    `endpoint_id` where it has one."""
    token: Token | None = None
    """The secret of a new key: this is the only time that it is shown. `None` for a repetition."""
    has_changed: bool = False
    replayed: bool = False


async def run(command: commands.AccountCommand, *, by: Actor, idempotency: Idempotency | None = None) -> Outcome:
    """Carry out `command` for `by`.

    Raises the `DomainError` that refuses it, having written nothing. With `idempotency` a repetition answers with the ids
    of the first result and does nothing, if `by` sees the account and may ask this of it. Raises `log.UnknownEvent` if the
    account's log has an event of a later release.
    """
    if idempotency is not None and by.account_id is None:
        raise ValueError("only an account has idempotency keys")
    outcome = None
    for _ in range(RACES_MAX):
        outcome = await _attempt(command, by, idempotency)
        if outcome is not None:
            break
    else:
        outcome = await database.uncancelled(_run_locked(command, by, idempotency))
    if outcome.has_changed:
        await bell.ring(bell.Topic.PENDING)
    return outcome


async def found_operator(name: str) -> str:
    """The id of the operator's account, which is made if the deployment has none yet. Only whoever has the database may."""
    found = await queries.operator_id()
    if found is None:
        creation = commands.CreateOperator(account_id=ids.new(ids.Kind.ACCOUNT), name=name)
        try:
            return (await run(creation, by=Actor(ActorKind.OPERATOR))).account.id
        except InvalidState:
            # Somebody else made it a moment ago.
            found = await queries.operator_id()
    if found is None:
        raise ValueError("the operator's account is there and isn't")
    return found


async def _run_locked(command: commands.AccountCommand, by: Actor, idempotency: Idempotency | None) -> Outcome:
    """Lock first, load second: a statement that had to wait for a lock sees the rest as it was before it waited."""
    while True:
        async with database.transaction():
            before = await store.load(command, by, idempotency=idempotency)
            if before.account is not None:
                await database.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", before.account.id)
            outcome = await _attempt(command, by, idempotency)
        if outcome is not None:
            return outcome


async def _attempt(command: commands.AccountCommand, by: Actor, idempotency: Idempotency | None) -> Outcome | None:
    """Read, decide and write once; `None` if somebody was faster."""
    loaded = await store.load(command, by, idempotency=idempotency)
    first = replay(idempotency, loaded.key)
    if first is not None:
        entitle(loaded.account, command, actor=by, around=loaded.around)
        return await _replayed(first, by)
    found = decide(loaded.account, command, actor=by, around=loaded.around)
    account_id = loaded.account.id if loaded.account is not None else getattr(command, "account_id", "")
    recorded = [Recorded(event, loaded.around.now, by) for event in found]
    after = loaded.account
    for one in recorded:
        after = evolve(after, account_id, one)
    if after is None:
        raise ValueError(f"{type(command).__name__} left no account")
    outcome = Outcome(
        account=after,
        result=_result(command, account_id),
        token=command.token if isinstance(command, commands.CreateApiKey) else None,
        has_changed=bool(found),
    )
    if not (found or idempotency):
        return outcome
    sealed = log.seal(account_id, version=loaded.version, last_hash=loaded.last_hash, recorded=recorded)
    written = await database.uncancelled(_write(loaded, after, sealed, command, by, idempotency))
    return outcome if written else None


async def _replayed(result: Mapping[str, str], by: Actor) -> Outcome:
    account = (await store.load_result(result, by)).account
    if account is None:
        raise ValueError(f"the account {result['account_id']} of an idempotency key is gone")
    return Outcome(account=account, result=result, replayed=True)


async def _write(
    loaded: store.Loaded,
    after: Account,
    sealed: list[log.Sealed],
    command: commands.AccountCommand,
    by: Actor,
    idempotency: Idempotency | None,
) -> bool:
    digest = command.token.digest if isinstance(command, commands.CreateApiKey) else None
    try:
        return await store.write(
            loaded,
            after,
            sealed,
            digest=digest,
            secrets=getattr(command, "secrets", ()),
            actor=by,
            idempotency=idempotency,
            result=_result(command, after.id),
        )
    except asyncpg.UniqueViolationError as error:
        # Another command with the same key was faster: reading again finds it. Anything else is a fault.
        if error.constraint_name != "idempotency_keys_pkey":
            raise
        return False


def _result(command: commands.AccountCommand, account_id: str) -> dict[str, str]:
    result = {"account_id": account_id}
    if isinstance(command, commands.AddMember | commands.RemoveMember):
        result["member_id"] = command.member_id
    elif isinstance(command, commands.CreateApiKey | commands.RevokeApiKey):
        result["key_id"] = command.key_id
    elif isinstance(command, commands.CreateAccount) and command.owner is not None:
        result["member_id"] = command.owner.member_id
    elif isinstance(command, EndpointCommand):
        result["endpoint_id"] = command.endpoint_id
    return result
