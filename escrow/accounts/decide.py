"""Decides what comes of a command on an account: events, or the first refusal in the order of the law.

The order is that of docs/law.md, section 3, read for accounts: not found; forbidden by the table of roles; an object
not found; the account's state; the object's state; same party; invalid input. Asking for what already is changes
nothing and is no error.
"""

from __future__ import annotations

from escrow.access import Actor
from escrow.accounts import commands
from escrow.accounts.commands.endpoints import CreateEndpoint, EndpointCommand
from escrow.accounts.decisions import DECISIONS, endpoints, keys, members, payees, sessions
from escrow.accounts.decisions.base import Context, Events, check_permitted, own
from escrow.accounts.rules import barred
from escrow.accounts.state import Account, AccountSurroundings
from escrow.errors import NotFound


def decide(
    state: Account | None, command: commands.AccountCommand, *, actor: Actor, around: AccountSurroundings
) -> Events:
    """The events that the command causes, none if it asks for what already is. Refuses with a `DomainError`."""
    entitle(state, command, actor=actor, around=around)
    if refusal := barred(command.action, state, actor, are_credentials_over=around.are_credentials_over):
        raise refusal
    return DECISIONS[type(command)](state, command, Context(actor, around))


def entitle(
    state: Account | None, command: commands.AccountCommand, *, actor: Actor, around: AccountSurroundings
) -> None:
    """Refuses an actor that doesn't see the account or that the table doesn't let ask for this, whatever its state.

    It is asked before every command, and again before a repetition is answered with what came of the first.
    """
    if isinstance(command, commands.CreateOperator | commands.CreateAccount | commands.SetFees):
        check_permitted(command.action, None, actor)
    elif isinstance(command, commands.RemoveMember):
        account, _ = members.member_found(state, command, actor)
        check_permitted(command.action, account, actor)
    elif isinstance(command, commands.RevokeApiKey):
        account, key = keys.key_found(state, command, actor)
        check_permitted(command.action, account, actor)
        keys.check_ends_no_more_than_its_own(key, actor)
    elif isinstance(command, commands.CreateSession):
        sessions.entitle_to_create(state, command, Context(actor, around))
    elif isinstance(command, commands.OpenSession):
        sessions.entitle_to_open(state, command, actor)
    elif isinstance(command, commands.RevokeSession):
        sessions.entitle_to_revoke(state, command, actor)
    elif isinstance(command, commands.NotePayee):
        payees.entitle(state, command, actor)
    elif isinstance(command, EndpointCommand) and not isinstance(command, CreateEndpoint):
        endpoints.entitle(state, command, actor)
    else:
        if state is None or not (own(state, actor) or around.is_visible):
            raise NotFound(f"There is no account {getattr(command, 'account_id', None)}.", field="accountId")
        if isinstance(command, CreateEndpoint):
            endpoints.entitle(state, command, actor)
            return
        check_permitted(command.action, state, actor)
        if isinstance(command, commands.CreateApiKey):
            keys.check_no_more_than_its_creator(command, actor)
