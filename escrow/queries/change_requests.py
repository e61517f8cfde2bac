"""Reads change requests as an actor may see them."""

from typing import Final

from escrow.ids import Kind
from escrow.queries.views import viewed
from escrow.store import tables

CHANGE_REQUESTS: Final = viewed(tables.CHANGE_REQUESTS, Kind.CHANGE_REQUEST)
