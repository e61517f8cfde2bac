"""One command on an account, whole: read, decide, write, ring. The same way as a contract's, in two round trips.

A lost race reads and decides again; who loses too often takes the account's row for itself first. The write is shielded
from cancellation, so its outcome is always known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from escrow import bell, database, log
from escrow.access import Actor
from escrow.accounts import commands, store
from escrow.accounts.decide import decide
from escrow.accounts.evolve import evolve
from escrow.accounts.state import Account
from escrow.agreement.events import Recorded

RACES_MAX: Final = 4
"""So often a command tries without a lock. Commands on one account are rare; more losses mean a crowd."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command came to: the account after it, and whether anything was written."""

    account: Account
    has_changed: bool


async def run(command: commands.AccountCommand, *, by: Actor) -> Outcome:
    """Carry out ``command``. Refuses with a ``DomainError``, having written nothing."""
    outcome = None
    for _ in range(RACES_MAX):
        outcome = await _attempt(command, by, await store.load(command, by))
        if outcome is not None:
            break
    else:
        outcome = await database.uncancelled(_run_alone(command, by))
    if outcome.has_changed:
        await bell.ring(bell.Topic.PENDING)
    return outcome


async def _run_alone(command: commands.AccountCommand, by: Actor) -> Outcome:
    """The same with the account's row locked: the second read sees what others wrote before, and nobody writes after."""
    async with database.transaction():
        before = await store.load(command, by)
        if before.account is not None:
            await database.execute("SELECT FROM accounts WHERE id = $1 FOR NO KEY UPDATE", before.account.id)
        outcome = await _attempt(command, by, await store.load(command, by))
    if outcome is None:
        raise RuntimeError(f"{type(command).__name__} lost a race that it ran alone")
    return outcome


async def _attempt(command: commands.AccountCommand, by: Actor, loaded: store.Loaded) -> Outcome | None:
    """Decide and write once; ``None`` if somebody was faster."""
    found = decide(loaded.account, command, actor=by, around=loaded.around)
    if loaded.account is not None and not found:
        return Outcome(account=loaded.account, has_changed=False)
    account_id = loaded.account.id if loaded.account is not None else getattr(command, "account_id", "")
    recorded = [Recorded(event, loaded.around.now, by) for event in found]
    after = loaded.account
    for one in recorded:
        after = evolve(after, account_id, one)
    assert after is not None  # noqa: S101 - for the type checker: a creation has events
    sealed = log.seal(account_id, version=loaded.version, last_hash=loaded.last_hash, recorded=recorded)
    digest = command.token.digest if isinstance(command, commands.CreateApiKey) else None
    written = await database.uncancelled(store.write(loaded, after, sealed, digest=digest))
    return Outcome(account=after, has_changed=True) if written else None
