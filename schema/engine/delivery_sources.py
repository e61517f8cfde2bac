"""Makes source events of deliveries, which are in no log: one for each state that a delivery was seen in."""

from __future__ import annotations

from escrow.live.key_lifetimes import Ended, Ending, Viewer
from schema.engine.sources import Source, SourceEvent
from schema.types.deliveries import delivery_of
from webhooks.owner.live import Watcher


class DeliverySource(Source):
    """A delivery of one endpoint, whenever it is not as it was."""

    def __init__(self, watcher: Watcher, viewer: Viewer) -> None:
        self._watcher = watcher
        self._viewer = viewer

    @property
    def is_too_slow(self) -> bool:
        return self._watcher.is_too_slow

    async def __anext__(self) -> SourceEvent:
        changed = await self._watcher.next()
        self._viewer.check()
        if changed is None:
            raise Ended(Ending.TOO_SLOW)
        delivery_id = changed.delivery_id
        return SourceEvent((delivery_id, changed.mark), lambda context: delivery_of(delivery_id, context))

    def close(self) -> None:
        self._watcher.close()
