"""Declares how the parts of a contract that the domain has as objects are read for answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from escrow import database
from escrow.agreement.state import Update
from escrow.ids import Kind
from escrow.queries.views import CURRENCY, Objects, Pages, View, selected, view
from escrow.queries.visibility import handles_money, sees
from escrow.store import tables
from escrow.store.tables import Part

T = TypeVar("T")


def _viewed(part: Part[T], kind: Kind, may_see: Callable[..., bool] = sees) -> Objects[View[T]]:
    return Objects(select=selected(part, CURRENCY), read=partial(view, part), kind=kind, may_see=may_see)


DEPOSITS: Final = _viewed(tables.DEPOSITS, Kind.DEPOSIT, handles_money)
REFUNDS: Final = _viewed(tables.REFUNDS, Kind.REFUND_REQUEST)
DISPUTES: Final = _viewed(tables.DISPUTES, Kind.DISPUTE)
CHANGE_REQUESTS: Final = _viewed(tables.CHANGE_REQUESTS, Kind.CHANGE_REQUEST)

SUBMISSIONS: Final = Objects(select=selected(tables.SUBMISSIONS), read=tables.SUBMISSIONS.read, kind=Kind.SUBMISSION)

UPDATES: Final = Pages(select=selected(tables.UPDATES), read=tables.UPDATES.read)


async def update_by_number(contract_id: str, number: int) -> Update | None:
    """One update of a contract that the actor was shown before."""
    row = await database.fetch_row(
        f"{UPDATES.select} WHERE one.contract_id = $1 AND one.number = $2", contract_id, number
    )
    return UPDATES.read(row) if row is not None else None
