"""Reads deposits, for those who handle the money of their contract."""

from typing import Final

from escrow.ids import Kind
from escrow.queries.views import viewed
from escrow.queries.visibility import handles_money
from escrow.store import tables

DEPOSITS: Final = viewed(tables.DEPOSITS, Kind.DEPOSIT, handles_money)
