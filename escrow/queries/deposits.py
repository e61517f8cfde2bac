"""Deposits as an actor may see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from escrow.access import Actor
from escrow.agreement.state import Deposit
from escrow.database import Record
from escrow.ids import Kind
from escrow.queries.money_views import by_id, pages_of
from escrow.store.tables import DEPOSITS


@dataclass(frozen=True, slots=True)
class DepositView:
    """A deposit, and of its contract what its answer needs."""

    deposit: Deposit
    contract_id: str
    currency: str


_DEPOSITS: Final = f"SELECT {DEPOSITS.select('d')}, d.currency, d.contract_id AS owner_id FROM deposits d"  # noqa: S608 - our own columns


async def deposits_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[DepositView]]:
    """For each contract at most `limit` deposits in order of their making, those after the id `after`; one statement."""
    scan = f"{_DEPOSITS} WHERE d.contract_id = asked.id AND d.id > $3 ORDER BY d.id"
    return await pages_of(scan, _deposit, contract_ids, limit, after or "")


async def deposits_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, DepositView]:
    """Those of the deposits that exist and that the actor may see, by identifier; one statement."""
    return await by_id(actor, identifiers, Kind.DEPOSIT, _DEPOSITS, "d", _deposit)


def _deposit(row: Record) -> DepositView:
    return DepositView(DEPOSITS.read(row), row["contract_id"], row["currency"])
