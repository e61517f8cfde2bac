"""Reads transfers between ledger accounts, for those who handle the money of their contract."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from escrow.database import Record, filled
from escrow.ids import Kind
from escrow.money import Money
from escrow.queries.views import Objects


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


def _transfer(row: Record) -> TransferView:
    return filled(TransferView, row, amount=Money(row["amount_minor"], row["currency"]))


TRANSFERS: Final = Objects(select="SELECT one.* FROM transfers one", read=_transfer, kind=Kind.TRANSFER, is_money=True)
