"""Decides on payees: that an account is to be one, and what the payment provider says of it."""

from __future__ import annotations

from typing import Final

from escrow.access import Actor, ActorKind
from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions.base import Context, Decisions, Events, there
from escrow.accounts.state import Account
from escrow.errors import Forbidden, NotFound


def entitle(state: Account | None, command: commands.NotePayee, actor: Actor) -> None:
    """Refuses whoever isn't the provider, and an account that isn't there."""
    if state is None:
        raise NotFound(f"There is no account {command.account_id}.", field="accountId")
    if actor.kind is not ActorKind.PROVIDER:
        raise Forbidden("Only the payment provider says whether somebody can be paid.")


def _connect(state: Account | None, command: commands.ConnectPayee, _: Context) -> Events:
    """Noted before the provider is asked, so that a payee is made also if whoever asked is gone."""
    account = there(state)
    inputs.return_url(command.return_url)
    if account.payee is not None and account.payee.provider == command.provider:
        return ()
    return (events.PayeeChanged(provider=command.provider, payee_id=None, can_be_paid=False, missing=(), until=None),)


def _note(state: Account | None, command: commands.NotePayee, _: Context) -> Events:
    """Nothing of a payee of another provider, or under another name: the first one that was made stays."""
    payee = there(state).payee
    if payee is None or payee.provider != command.provider or payee.payee_id not in (None, command.payee_id):
        return ()
    told = events.PayeeChanged(
        provider=command.provider,
        payee_id=command.payee_id,
        can_be_paid=command.can_be_paid,
        missing=command.missing,
        until=command.until,
    )
    was = (payee.payee_id, payee.can_be_paid, payee.missing, payee.until)
    return () if was == (told.payee_id, told.can_be_paid, told.missing, told.until) else (told,)


DECISIONS: Final[Decisions] = {
    commands.ConnectPayee: _connect,
    commands.NotePayee: _note,
}
