"""Keeps what is known of endpoints for a minute, so that few deliveries have to ask for theirs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from escrow import meters
from webhooks.request.endpoints import Endpoint

ENDPOINT_SECONDS: Final = 60.0
"""What is known of an endpoint is read again after so long: secrets end by the clock."""

ENDPOINTS_KEPT: Final = 10_000


class EndpointCache:
    """Endpoints as they were read last, `None` for one that is gone."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[float, Endpoint | None]] = OrderedDict()

    def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint as it is known; `None` if it is not, or is gone."""
        return self._known.get(endpoint_id, (0.0, None))[1]

    def is_fresh(self, endpoint_id: str, *, version: int, now_seconds: float) -> bool:
        """Whether the endpoint is known well enough to send what was loaded when it had this version."""
        read_at, endpoint = self._known.get(endpoint_id, (0.0, None))
        is_fresh = endpoint is not None and now_seconds - read_at <= ENDPOINT_SECONDS and endpoint.version >= version
        meters.CACHES.add("endpoints", "hit" if is_fresh else "miss")
        return is_fresh

    def keep(
        self, asked: Iterable[str], found: Mapping[str, Endpoint], *, from_seconds: float, now_seconds: float
    ) -> None:
        """These were asked for from that time to this, and those were there.

        Another look that went on at the same time may have read later and ended first: then the newer version stays. One that
        ended before this one began says nothing against it: after a failover that lost a change the version is a former one.
        """
        for endpoint_id in asked:
            read_at, former = self._known.get(endpoint_id, (0.0, None))
            fresh = found.get(endpoint_id)
            is_newer = fresh is None or former is None or fresh.version >= former.version
            if is_newer or read_at < from_seconds:
                self._known[endpoint_id] = (now_seconds, fresh)
                self._known.move_to_end(endpoint_id)
        while len(self._known) > ENDPOINTS_KEPT:
            self._known.popitem(last=False)
