"""Decides on accounts themselves: opened, disabled, enabled, appointed as mediators."""

from __future__ import annotations

from typing import Final

from escrow import ids
from escrow.access import AccountType, Role
from escrow.accounts import commands, events, inputs
from escrow.accounts.decisions import sessions
from escrow.accounts.decisions.base import Context, Decisions, Events, there
from escrow.accounts.decisions.members import member_added
from escrow.accounts.state import Account
from escrow.errors import InvalidState


def _create_operator(state: Account | None, command: commands.CreateOperator, context: Context) -> Events:
    if state is not None or context.around.operator_exists:
        raise InvalidState("The operator's account exists already; a deployment has one.")
    inputs.identifier(ids.Kind.ACCOUNT, command.account_id, field="accountId")
    name = inputs.name(command.name)
    # What the operator is by law has no bearing on rights or money; a company is what it usually is.
    return (events.AccountCreated(account_type=AccountType.COMPANY, is_operator=True, name=name),)


def _create_account(state: Account | None, command: commands.CreateAccount, context: Context) -> Events:
    if state is not None:
        raise InvalidState(f"There is an account {command.account_id} already.")
    inputs.identifier(ids.Kind.ACCOUNT, command.account_id, field="accountId")
    created = events.AccountCreated(account_type=command.type, is_operator=False, name=inputs.name(command.name))
    if command.owner is None:
        return (created,)
    return (created, member_added(command.owner, Role.OWNER, field="owner."))


def _disable(state: Account | None, command: commands.DisableAccount, context: Context) -> Events:
    account = there(state)
    if account.is_operator:
        raise InvalidState("The operator's own account cannot be disabled.")
    if account.disabled_at is not None:
        return ()
    return (events.AccountDisabled(), *sessions.ended_with_account(account))


def _enable(state: Account | None, command: commands.EnableAccount, context: Context) -> Events:
    account = there(state)
    return () if account.disabled_at is None else (events.AccountEnabled(),)


def _appoint(state: Account | None, command: commands.AppointMediator, context: Context) -> Events:
    account = there(state)
    if account.is_operator:
        raise InvalidState("The operator decides disputes anyway; a mediator is another account.")
    return () if account.is_mediator else (events.MediatorAppointed(),)


def _dismiss(state: Account | None, command: commands.DismissMediator, context: Context) -> Events:
    account = there(state)
    return (events.MediatorDismissed(),) if account.is_mediator else ()


def _set_rate(state: Account | None, command: commands.SetRate, context: Context) -> Events:
    account = there(state)
    rate = inputs.points_per_second(command.points_per_second)
    return () if account.points_per_second == rate else (events.RateSet(points_per_second=rate),)


DECISIONS: Final[Decisions] = {
    commands.CreateOperator: _create_operator,
    commands.CreateAccount: _create_account,
    commands.DisableAccount: _disable,
    commands.EnableAccount: _enable,
    commands.AppointMediator: _appoint,
    commands.DismissMediator: _dismiss,
    commands.SetRate: _set_rate,
}
