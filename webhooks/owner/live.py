"""Watches deliveries as they change, with one look for all endpoints that are watched in a process.

Workers say nothing when an attempt is over, so this looks once a second, and when the log has grown. It looks at what was
made or attempted in the last half minute; what is as it was at the look before is not told again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from escrow import bell, database, ids, process_log
from escrow.bell import Topic
from escrow.ids import Kind

POLL_SECONDS: Final = 1.0
"""How late a change is noticed."""

PAUSE_SECONDS: Final = 0.1
"""Between two looks, however often the bell rings."""

LOOK_BACK: Final = timedelta(seconds=30)
"""Identifiers carry the time of the process that made them, and are seen once they are committed: so far apart at most."""

BEHIND_MAX: Final = 500
"""Deliveries that a watcher may be behind by."""

_log = logging.getLogger(__name__)

Mark = tuple[str, int]
"""How a delivery stands, and how often it was attempted."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A delivery that is not as it was."""

    delivery_id: str
    mark: Mark


class Watcher:
    """One who watches an endpoint. Close it when done."""

    def __init__(self, watching: Watching, endpoint_id: str) -> None:
        self.endpoint_id = endpoint_id
        self.is_too_slow = False
        self._watching = watching
        self._changed: dict[str, Mark] = {}
        self._has_news = asyncio.Event()

    async def next(self) -> Changed | None:
        """The next delivery that is not as it was, as soon as there is one; `None` if the watcher is too slow."""
        while not self._changed:
            if self.is_too_slow:
                return None
            self._has_news.clear()
            await self._has_news.wait()
        delivery_id = next(iter(self._changed))
        return Changed(delivery_id, self._changed.pop(delivery_id))

    def tell(self, delivery_id: str, mark: Mark) -> None:
        """This delivery is not as it was; told several times before it is taken, it counts once."""
        if self.is_too_slow:
            return
        self._changed[delivery_id] = mark
        if len(self._changed) > BEHIND_MAX:
            self.is_too_slow = True
            self._changed.clear()
        self._has_news.set()

    def close(self) -> None:
        """Watch no more."""
        self._watching.leave(self)


class Watching:
    """All that is watched in this process."""

    def __init__(self, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._poll_seconds = poll_seconds
        self._watchers: dict[str, set[Watcher]] = {}
        self._known: dict[str, dict[str, Mark]] = {}
        self._task: asyncio.Task[None] | None = None

    async def watch(self, endpoint_id: str) -> Watcher:
        """Tell of what changes from now on at this endpoint; one statement. Whether it may be seen is the caller's question."""
        if endpoint_id not in self._known:
            self._known[endpoint_id] = (await _look([endpoint_id])).get(endpoint_id, {})
        watcher = Watcher(self, endpoint_id)
        self._watchers.setdefault(endpoint_id, set()).add(watcher)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="deliveries watched")
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Forget this watcher."""
        watchers = self._watchers.get(watcher.endpoint_id)
        if watchers is not None:
            watchers.discard(watcher)
            if not watchers:
                del self._watchers[watcher.endpoint_id]
                self._known.pop(watcher.endpoint_id, None)
        if not self._watchers and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        process_log.begin()  # the first watcher is not what this is about
        with bell.listen(Topic.POSITIONED) as wakeups:
            while True:
                await wakeups.wait(self._poll_seconds)
                try:
                    await self._compare()
                except Exception as error:  # noqa: BLE001 - whoever watches waits for the database, whatever became of it
                    _log.warning("deliveries are not looked at", extra={"error": error})
                    await asyncio.sleep(self._poll_seconds)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _compare(self) -> None:
        for endpoint_id, found in (await _look(list(self._watchers))).items():
            known = self._known.get(endpoint_id, {})
            for delivery_id, mark in found.items():
                if known.get(delivery_id) != mark:
                    for watcher in self._watchers.get(endpoint_id, ()):
                        watcher.tell(delivery_id, mark)
            if endpoint_id in self._known:
                self._known[endpoint_id] = found


async def _look(endpoint_ids: Collection[str]) -> dict[str, dict[str, Mark]]:
    """How the deliveries stand that were made or attempted lately, by endpoint, oldest first."""
    since = datetime.now(UTC) - LOOK_BACK
    after = [f"{kind}_{ids.encode(int(since.timestamp() * 1000) << 80)}" for kind in (Kind.DELIVERY, Kind.ATTEMPT)]
    found: dict[str, dict[str, Mark]] = {endpoint_id: {} for endpoint_id in endpoint_ids}
    for row in await database.fetch(_LATELY, list(endpoint_ids), *after):
        found[row["endpoint_id"]][row["id"]] = (row["state"], row["attempts"])
    return found


_LATELY: Final = """
SELECT delivery.endpoint_id, delivery.id, delivery.state,
    (SELECT count(*) FROM delivery_attempts WHERE delivery_id = delivery.id) AS attempts
FROM (
    SELECT made.id FROM unnest($1::text[]) AS asked (id) CROSS JOIN LATERAL (
        SELECT id FROM deliveries WHERE endpoint_id = asked.id AND id > $2) AS made
    UNION SELECT delivery_id FROM delivery_attempts WHERE id > $3
) AS lately
CROSS JOIN LATERAL (
    SELECT * FROM deliveries WHERE id = lately.id AND endpoint_id = ANY ($1::text[]) OFFSET 0) AS delivery
ORDER BY delivery.id
"""
