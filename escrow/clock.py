"""Reads domain time and real time from PostgreSQL, and says which is for what.

Deadlines run on domain time: PostgreSQL's clock plus the offset of the test clock, which only a sandbox can move. Leases,
retries, keys and the payment provider run on real time. No host's clock decides anything.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from escrow import database

NOW_SQL: Final = "(SELECT clock_timestamp() + clock_offset FROM deployment WHERE id = 1)"
"""Domain time as SQL: a sub-select, so that a statement asks once and compares an index with it."""


async def now() -> datetime:
    """Domain time."""
    at: datetime = await database.fetch_value(f"SELECT {NOW_SQL}")
    return at
