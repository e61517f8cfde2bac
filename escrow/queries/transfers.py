"""Transfers between ledger accounts as an actor may see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.access import Actor
from escrow.database import Record
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.money_views import by_id, pages_of


@dataclass(frozen=True, slots=True)
class TransferView:
    """Money that moved between two ledger accounts."""

    id: str
    contract_id: str
    event_id: str
    debit: str
    credit: str
    amount: Money
    occurred_at: datetime


_TRANSFERS: Final = "SELECT t.*, t.contract_id AS owner_id FROM transfers t"


async def transfers_pages(
    contract_ids: Collection[str], *, limit: int, after: str | None
) -> dict[str, list[TransferView]]:
    """For each contract at most `limit` transfers in order of their making, those after the id `after`; one statement."""
    scan = f"{_TRANSFERS} WHERE t.contract_id = asked.id AND t.id > $3 ORDER BY t.id"
    return await pages_of(scan, _transfer, contract_ids, limit, after or "")


async def transfers_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, TransferView]:
    """Those of the transfers that exist and that the actor may see, by identifier; one statement."""
    return await by_id(actor, identifiers, Kind.TRANSFER, _TRANSFERS, "t", _transfer)


def _transfer(row: Record) -> TransferView:
    return TransferView(
        id=row["id"],
        contract_id=row["contract_id"],
        event_id=row["event_id"],
        debit=row["debit"],
        credit=row["credit"],
        amount=Money(row["amount_minor"], row["currency"]),
        occurred_at=row["occurred_at"],
    )
