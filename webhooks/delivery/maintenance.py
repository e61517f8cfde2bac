"""Wakes an endpoint's lanes after a change or an enabling, ends them with a deletion, goes on with replays, and tells of cuts.

Every step is short and may be done by several workers at once; what a killed one left is done by the next.
"""

# ruff: noqa: S608 - only our own text is filled into statements

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from escrow import bell, database
from escrow.bell import Topic
from webhooks.delivery import cut_notices
from webhooks.delivery.lanes import State
from webhooks.events.filters import Task
from webhooks.owner import replays

POLL_SECONDS: Final = 1.0
"""How late a task is noticed at most when no ring came through; replays take their next step as often."""

PAUSE_SECONDS: Final = 0.05
"""Between two looks: rings are mostly for others."""

LANES_MAX: Final = 500
"""Lanes of one step."""


async def look_after(wake: Callable[[], None]) -> None:
    """Do what there is to do, for ever; `wake` tells the dispatcher of this process that lanes became due."""
    with bell.listen(Topic.DELIVERIES) as wakeups:
        while True:
            if await _do():
                wake()
                await bell.ring(Topic.DELIVERIES)
            else:
                await wakeups.wait(POLL_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)


async def _do() -> bool:
    """Do what there is to do; answers whether there was anything. One statement if there is nothing."""
    found = await database.fetch_row(_FOUND)
    if found is None or not (found["tasks"] or found["replays"] or found["cuts"]):
        return False
    done = await tasks()
    told = await cut_notices.step()
    return await replays.step() or told or done


async def tasks() -> bool:
    """Do every task that endpoints have; answers whether there was any. One that was left again meanwhile stays to be done."""
    rows = await database.fetch(_TASKS)
    for row in rows:
        after: str | None = ""
        while after is not None:
            after = await database.fetch_value(_STEPS[row["task"]], row["endpoint_id"], after, LANES_MAX)
        await database.execute(_DONE, row["endpoint_id"], row["task"], row["edition"])
    return bool(rows)


_FOUND: Final = """
SELECT EXISTS (SELECT FROM endpoint_health WHERE task IS NOT NULL) AS tasks,
    EXISTS (SELECT FROM replays WHERE due_at <= clock_timestamp()) AS replays,
    EXISTS (SELECT FROM log_cuts WHERE untold_after IS NOT NULL) AS cuts
"""

# The schedule begins anew: nothing is given up for failures of before. What is under way is looked at when it comes back:
# a completion knows that the endpoint was changed, or that failures were forgotten of a lane that was leased before this came.
# So the lease is asked about under the lock, not before a completion ends.
_WAKE: Final = """
WITH looked AS MATERIALIZED (
    SELECT lane FROM lanes WHERE endpoint_id = $1 AND lane > $2 ORDER BY lane LIMIT $3
), locked AS MATERIALIZED (
    SELECT held.* FROM looked CROSS JOIN LATERAL (
        SELECT lane, failures > 0 OR (token IS NULL AND due_at > clock_timestamp()) AS is_put_off FROM lanes
        WHERE endpoint_id = $1 AND lane = looked.lane AND due_at IS NOT NULL FOR UPDATE) AS held
), woken AS (
    UPDATE lanes SET failures = 0,
        due_at = CASE WHEN lanes.token IS NULL THEN least(lanes.due_at, clock_timestamp()) ELSE lanes.due_at END
    FROM locked WHERE lanes.endpoint_id = $1 AND lanes.lane = locked.lane AND locked.is_put_off
)
SELECT max(lane) FROM looked HAVING count(*) = $3
"""

# Whoever is just sending to it finds its lease gone. Nothing new comes: the filter ended with the endpoint.
_END: Final = f"""
WITH looked AS MATERIALIZED (
    SELECT lane FROM lanes WHERE endpoint_id = $1 AND lane > $2 ORDER BY lane LIMIT $3
), locked AS MATERIALIZED (
    SELECT held.* FROM looked CROSS JOIN LATERAL (
        SELECT lane, done FROM lanes WHERE endpoint_id = $1 AND lane = looked.lane AND due_at IS NOT NULL FOR UPDATE) AS held
), cancelled AS (
    UPDATE deliveries SET state = '{State.CANCELLED}', finished_at = clock_timestamp()
    FROM locked WHERE deliveries.endpoint_id = $1 AND deliveries.lane = locked.lane
        AND deliveries.position > locked.done AND deliveries.state = '{State.PENDING}'
), ended AS (
    UPDATE lanes SET done = tail, failures = 0, due_at = NULL, token = NULL, leased_at = NULL
    FROM locked WHERE lanes.endpoint_id = $1 AND lanes.lane = locked.lane
), replayed AS (
    UPDATE replays SET due_at = NULL WHERE endpoint_id = $1 AND due_at IS NOT NULL
)
SELECT max(lane) FROM looked HAVING count(*) = $3
"""

_STEPS: Final = {Task.WAKE: _WAKE, Task.END: _END}

_TASKS: Final = """
SELECT endpoint_id, task, xmin::text AS edition FROM endpoint_health WHERE task IS NOT NULL LIMIT 100
"""

# Not if the row was written since the task was read: the same may have been left once more, for lanes that were looked at before.
_DONE: Final = """
UPDATE endpoint_health SET task = NULL WHERE endpoint_id = $1 AND task = $2 AND xmin::text = $3
"""
