"""Reads refund requests as an actor may see them."""

from typing import Final

from escrow.ids import Kind
from escrow.queries.views import viewed
from escrow.store import tables

REFUNDS: Final = viewed(tables.REFUNDS, Kind.REFUND_REQUEST)
