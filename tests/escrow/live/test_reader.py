"""A reader that leans on another is told nothing, is counted all the same, and lacks nothing once it stands by itself."""

from __future__ import annotations

from dataclasses import replace

from escrow import log
from escrow.live.hub import Hub
from escrow.live.reader import Reader
from tests.api.live.serving import until
from tests.factories import Deployment


async def test_who_leans_is_told_nothing_and_stands_again_without_a_gap_or_a_repetition(database: str) -> None:
    there, hub = await Deployment.make(), Hub(poll_seconds=0.02)
    await _all_have_places()
    async with hub.connected(replace(there.client, key_id=None), lambda _: None) as viewer:
        leader, other = [Reader(hub, viewer, after=hub.position) for _ in range(2)]
        assert leader.go_live()
        assert other.go_live()
        assert leader.seen == other.seen == hub.position
        other.lean()
        assert hub.readers == 2
        await there.propose("10.00")
        last = await _heard_of_all(hub)
        assert (leader.behind, other.behind) == (2, 0)
        assert leader.seen == last - 2, "nothing was taken yet"
        other.stand(last - 1)
        assert [leader.take(), other.take()] == [hub._window[0][1], hub._window[1][1]]
        assert (leader.seen, other.seen) == (last - 1, last)
        assert other.take() is None
        leader.close()
        other.close()
        assert hub.readers == 0


async def test_who_closes_while_it_leans_is_counted_no_more(database: str) -> None:
    there, hub = await Deployment.make(), Hub(poll_seconds=0.02)
    async with hub.connected(replace(there.client, key_id=None), lambda _: None) as viewer:
        reader = Reader(hub, viewer, after=hub.position)
        assert reader.seen is None, "it is not live yet"
        reader.go_live()
        reader.lean()
        assert reader.seen is None
        reader.close()
        assert hub.readers == 0


async def _all_have_places() -> int:
    while await log.sequence():
        pass
    return await log.last_position()


async def _heard_of_all(hub: Hub) -> int:
    last = await _all_have_places()
    await until(lambda: hub.position == last)
    return last
