"""Tells the pipeline how a command on an account is read, decided about and written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from escrow.access import Actor
from escrow.accounts import store
from escrow.accounts.commands import AccountCommand
from escrow.accounts.decide import decide, entitle
from escrow.accounts.evolve import evolve
from escrow.accounts.rules import forbidden_after_the_end
from escrow.accounts.state import Account, AccountSurroundings
from escrow.accounts.store import Loaded
from escrow.agreement.events import Recorded
from escrow.bell import Topic
from escrow.log import Sealed
from escrow.stream import Decided, Outcome, Stream


class AccountOutcome(Outcome[Account, AccountSurroundings]):
    """What came of a command on an account. A member, key or endpoint that the result names is in it."""

    @property
    def account(self) -> Account:
        return self.state


async def _repeat(command: AccountCommand, loaded: Loaded, result: Mapping[str, str], by: Actor) -> Loaded:
    entitle(loaded.state, command, actor=by, around=loaded.around)
    if loaded.around.are_credentials_over and (refusal := forbidden_after_the_end(command.action, by)):
        raise refusal  # the page of a payee, say, is made anew for each repetition
    return await store.load_result(result, by)


def _decide(command: AccountCommand, loaded: Loaded, by: Actor) -> Decided[Account]:
    found = decide(loaded.state, command, actor=by, around=loaded.around)
    account_id = loaded.state.id if loaded.state is not None else getattr(command, "account_id", "")
    recorded = [Recorded(event, loaded.around.now, by) for event in found]
    after = loaded.state
    for one in recorded:
        after = evolve(after, account_id, one)
    return Decided(after=after, recorded=recorded, result=command.result(account_id))


async def _write(
    command: AccountCommand,
    loaded: Loaded,
    decided: Decided[Account],
    sealed: Sequence[Sealed],
    key: Sequence[object],
    _: Actor,
) -> Sequence[Topic] | None:
    token, secrets = getattr(command, "token", None), getattr(command, "secrets", ())
    is_written = await store.write(loaded, decided.state, sealed, token=token, secrets=secrets, key=key)
    return () if is_written else None


ACCOUNTS: Final = Stream(
    outcome=AccountOutcome,
    load=store.load,
    lock=store.lock,
    repeat=_repeat,
    decide=_decide,
    write=_write,
    races_max=4,  # commands on one account are rare; more losses mean a crowd
)
