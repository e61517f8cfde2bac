"""What is known of endpoints is what was read last, also where that is older than what was known. Pure."""

from __future__ import annotations

from webhooks.delivery.endpoint_cache import EndpointCache
from webhooks.request.endpoints import Endpoint


def endpoint(version: int) -> Endpoint:
    return Endpoint(
        id="whe_1", account_id="acc_1", url=f"https://{version}.example", api_version="1", keys=(), version=version
    )


def kept(cache: EndpointCache, version: int, from_seconds: float, until_seconds: float) -> int:
    """Keep the result of a look that went on from then to then; the version that is known afterwards."""
    cache.keep(["whe_1"], {"whe_1": endpoint(version)}, from_seconds=from_seconds, now_seconds=until_seconds)
    known = cache.get("whe_1")
    assert known is not None
    return known.version


def test_a_change_that_a_failover_lost_is_forgotten_with_the_next_look() -> None:
    cache = EndpointCache()
    assert kept(cache, 5, 0, 1) == 5
    assert kept(cache, 4, 100, 101) == 4


def test_of_two_looks_at_the_same_time_the_newer_version_counts_whichever_ends_first() -> None:
    cache = EndpointCache()
    assert kept(cache, 5, 2, 3) == 5
    assert kept(cache, 4, 1, 4) == 5
    assert kept(cache, 6, 1, 5) == 6
