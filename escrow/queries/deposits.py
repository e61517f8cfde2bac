"""Reads deposits, for those who handle the money of their contract."""

from typing import Final

from escrow.ids import Kind
from escrow.queries.views import viewed
from escrow.store import tables

DEPOSITS: Final = viewed(tables.DEPOSITS, Kind.DEPOSIT, is_money=True)
