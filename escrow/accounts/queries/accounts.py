"""What an actor may see of accounts: one statement for any number of them, so that lists of contracts cost one look-up.

The other party of a contract is a name and a type; members and keys are the account's own and the operator's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from escrow import database, ids
from escrow.access import AccountType, Actor
from escrow.accounts.rules import is_operator
from escrow.accounts.visibility import visible_arguments, visible_sql
from escrow.errors import InvalidInput
from escrow.queries import counts
from escrow.queries.counts import Counted

PAGE_MAX: Final = 101
"""The largest page of the API, and one more to know whether it is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """An account as one actor sees it. What is `None` because it is not shown has `is_whole` false."""

    id: str
    name: str
    type: AccountType
    is_whole: bool
    is_operator: bool | None = None
    is_mediator: bool | None = None
    disabled_at: datetime | None = None
    points_per_second: int | None = None
    created_at: datetime | None = None


async def accounts_by_id(actor: Actor, account_ids: Sequence[str]) -> dict[str, AccountView]:
    """Those of the accounts that exist for the actor, by id."""
    rows = await database.fetch(*_BY_ID.bind(account_ids=_well_formed(account_ids), **visible_arguments(actor)))
    return {row["id"]: _view(row, actor) for row in rows}


async def accounts_page(
    actor: Actor, *, first: int, after: str | None = None, backwards: bool = False
) -> list[AccountView]:
    """The operator's list of all accounts in the order of their ids, at most `first` (1 to 100) after an id.

    For everybody else it holds their own account only: the others they meet in contracts. `backwards` turns the order
    round: the last first, those before the id. Refuses with `InvalidInput` another number, and an `after` that names no
    account.
    """
    if not 1 <= first <= PAGE_MAX:
        raise InvalidInput(f"A page has 1 to {PAGE_MAX} entries, not {first}.", field="first")
    if after is not None and not ids.is_a(ids.Kind.ACCOUNT, after):
        raise InvalidInput("A page of accounts begins after an account.", field="after")
    rows = await database.fetch(*_listed(actor, limit=first, after=after, backwards=backwards))
    return [_view(row, actor) for row in rows]


async def accounts_counted(actor: Actor) -> Counted:
    """How many accounts such a list has; one statement."""
    return await counts.counted(*_listed(actor, limit=counts.COUNTED_MAX + 1, after=None, backwards=False))


def _listed(actor: Actor, *, limit: int, after: str | None, backwards: bool) -> tuple[str, *tuple[object, ...]]:
    own_only = None if is_operator(actor) else actor.account_id
    page = _PAGE_BACKWARDS if backwards else _PAGE
    return page, after or ("~" if backwards else ""), limit, is_operator(actor), own_only


async def operator_id() -> str | None:
    """The id of the operator's account, if the deployment has one yet."""
    found: str | None = await database.fetch_value("SELECT id FROM accounts WHERE is_operator")
    return found


def _whole(actor: Actor, account_ids: Sequence[str]) -> list[str]:
    """The accounts of which the actor sees everything: its own with a key for all of it, each for the operator."""
    if is_operator(actor):
        return _well_formed(account_ids)
    return [one for one in account_ids if one == actor.account_id and actor.contract_ids is None]


def _well_formed(account_ids: Sequence[str]) -> list[str]:
    return [one for one in account_ids if ids.is_a(ids.Kind.ACCOUNT, one)]


def _view(row: database.Record, actor: Actor) -> AccountView:
    shown = AccountView(id=row["id"], name=row["name"], type=AccountType(row["type"]), is_whole=False)
    if not (is_operator(actor) or row["id"] == actor.account_id):
        return shown
    return AccountView(
        id=shown.id,
        name=shown.name,
        type=shown.type,
        is_whole=True,
        is_operator=row["is_operator"],
        is_mediator=row["is_mediator"],
        disabled_at=row["disabled_at"],
        points_per_second=row["points_per_second"],
        created_at=row["created_at"],
    )


_COLUMNS: Final = (
    "account.id, account.name, account.type, is_operator, is_mediator, disabled_at, points_per_second, created_at"
)

_BY_ID: Final = database.Statement(f"""
SELECT {_COLUMNS} FROM accounts AS account
WHERE account.id = ANY ({database.unseen(":account_ids::text[]")}) AND {visible_sql("account")}
""")  # noqa: S608 - constants of this module and of escrow.accounts.visibility

_PAGE: Final = f"""
SELECT {_COLUMNS} FROM accounts AS account WHERE account.id > $1 AND $3::boolean
UNION ALL
SELECT {_COLUMNS} FROM accounts AS account WHERE account.id > $1 AND account.id = $4
ORDER BY id LIMIT $2
"""  # noqa: S608 - a constant of this module

_PAGE_BACKWARDS: Final = _PAGE.replace("account.id >", "account.id <").replace("ORDER BY id", "ORDER BY id DESC")

_OWNERS: Final = {
    "members": "SELECT DISTINCT account_id FROM members WHERE id = ANY($1::text[])",
    "api_keys": "SELECT DISTINCT account_id FROM api_keys WHERE id = ANY($1::text[])",
}


async def accounts_of_parts(table: Literal["members", "api_keys"], identifiers: Collection[str]) -> list[str]:
    """The accounts that these members or keys belong to. Whether they may be seen is the caller's question."""
    return [row["account_id"] for row in await database.fetch(_OWNERS[table], sorted(set(identifiers)))]
