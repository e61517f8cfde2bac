"""Tells every endpoint that the log was cut (`escrow.cuts`): its receiver may have seen events that are no more.

A notice is a delivery of its own kind in a lane of its own: signed, tried again and given up like all others, whatever the
endpoint's filter is, and part of no chain. Each endpoint gets one for each cut, since whoever makes some notes in the same
transaction how far it came. They wait until an upgrade from a release that can't read them is over.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

from typing import Final

from escrow import cursors, database, ids
from webhooks.delivery.lanes import Kind
from webhooks.events.examples import sealed_beside_the_log
from webhooks.events.unlogged import LogCut

ENDPOINTS_MAX: Final = 500
"""Endpoints of one step."""


async def step() -> bool:
    """Make the notices of some endpoints, of the oldest cut that not all were told of; answers whether there was one."""
    async with database.transaction() as connection:
        cut = await connection.fetchrow(_DUE)
        if cut is None:
            return False
        found = await connection.fetch(_ENDPOINTS, cut["untold_after"], ENDPOINTS_MAX)
        notices = [_notice(cut, row) for row in found]
        await connection.execute(*_MAKE.bind(**_NEW.bind(notices)))
        following = found[-1]["id"] if len(found) == ENDPOINTS_MAX else None
        await connection.execute(_ADVANCE, cut["first_position"], following)
    return True


def _notice(cut: database.Record, endpoint: database.Record) -> dict[str, object]:
    event_id = ids.new(ids.Kind.EVENT)
    told = LogCut(
        kept_cursor=cursors.print_cursor(cut["kept_position"]),
        first_cursor=cursors.print_cursor(cut["first_position"]),
        kept_at=cut["kept_at"],
    )
    return {
        "endpoint_id": endpoint["id"],
        "account_id": endpoint["account_id"],
        "delivery_id": ids.new(ids.Kind.DELIVERY),
        "event_id": event_id,
        "body": sealed_beside_the_log(told, at=cut["cut_at"], event_id=event_id, stream_id=endpoint["account_id"]),
    }


_NEW: Final = database.Rows("new", "endpoint_id text, account_id text, delivery_id text, event_id text, body text")

# One worker at a time for each cut: the row that says how far it came is locked until what was made is committed.
# A process of 1.0.0 fails at a delivery of this kind: at all that it claimed with it, and at any list that has one. Until that
# step is taken such processes are there, or may come back.
_DUE: Final = """
SELECT first_position, kept_position, kept_at, cut_at, untold_after FROM log_cuts
WHERE untold_after IS NOT NULL
    AND EXISTS (SELECT FROM tortoise_migrations WHERE app = 'escrow' AND name = 'm0033_former_2_gone')
ORDER BY first_position LIMIT 1 FOR UPDATE SKIP LOCKED
"""

# The endpoint is held until what is made for it is committed: its deletion waits so long, and whoever ends it finds everything.
_ENDPOINTS: Final = """
SELECT id, account_id FROM endpoints WHERE id > $1 AND deleted_at IS NULL ORDER BY id LIMIT $2 FOR SHARE
"""

_MAKE: Final = database.Statement(f"""
WITH made AS (
    INSERT INTO deliveries (id, endpoint_id, lane, position, event_id, event_type, stream_id, kind, body)
    SELECT delivery_id, endpoint_id, delivery_id, 0, event_id, '{LogCut.type}', account_id, '{Kind.LOG_CUT}', body FROM {_NEW.sql}
    RETURNING endpoint_id, lane
)
INSERT INTO lanes (endpoint_id, lane, done, tail, due_at)
SELECT endpoint_id, lane, -1, 0, clock_timestamp() FROM made ORDER BY endpoint_id, lane
""")

_ADVANCE: Final = "UPDATE log_cuts SET untold_after = $2 WHERE first_position = $1"
