"""Holds what decisions on accounts share: whose account it is, and what the table of roles says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from escrow.access import Actor
from escrow.accounts.commands import AccountCommand
from escrow.accounts.rules import AccountAction, forbidden, is_operator
from escrow.accounts.state import Account, AccountSurroundings
from escrow.agreement.events import Event
from escrow.errors import NotFound


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision knows beside the account: who asks, and the world around."""

    actor: Actor
    around: AccountSurroundings


Events = Sequence[Event]

Decisions = Mapping[type[AccountCommand], Callable[[Any, Any, Context], Events]]
"""The events of a command, by its type: of the account or nothing, the command, and its context."""


def check_permitted(action: AccountAction, account: Account | None, actor: Actor) -> None:
    refusal = forbidden(action, account, actor)
    if refusal is not None:
        raise refusal


def own(state: Account | None, actor: Actor) -> Account | None:
    """The account, if the actor sees its members and keys: those of other accounts exist for the operator only."""
    return state if state is not None and (is_operator(actor) or state.id == actor.account_id) else None


def there(state: Account | None) -> Account:
    """The account that the command names: `entitle` has seen to it that there is one."""
    if state is None:
        raise ValueError("a command on no account was let through")
    return state


def check_contracts_exist(contract_ids: Sequence[str] | None, around: AccountSurroundings) -> None:
    """Refuses with `NotFound` the first of the contracts that the account doesn't reach."""
    for index, contract_id in enumerate(contract_ids or ()):
        if contract_id not in around.reachable_contract_ids:
            raise no_such_contract(contract_id, index)


def no_such_contract(contract_id: str, index: int) -> NotFound:
    """The refusal of the contract at that place in a list."""
    return NotFound(f"There is no contract {contract_id}.", field=f"contractIds.{index}")
