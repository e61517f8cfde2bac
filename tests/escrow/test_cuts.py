"""After the log was cut its positions go on where nobody ever was, and whoever has seen what is no more is told so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from escrow import cursors, cuts, log
from escrow import database as db
from escrow.access import Actor, ActorKind
from escrow.audit import audit
from escrow.cuts import LogWasCut
from escrow.live.hub import Hub
from escrow.live.key_lifetimes import Ended, Ending, Keys, Viewer
from escrow.live.reader import Reader
from escrow.queries import feed
from tests.api.client import People, door
from tests.api.live.serving import until
from tests.factories import Deployment, make_endpoint
from webhooks.audit import audit_deliveries
from webhooks.delivery import retention
from webhooks.owner import replays

CHANGES = "query ($after: Cursor) { changes(after: $after) { cursor nodes { cursor } } }"
LOST = 7
"""How many events more than are kept somebody has seen."""


async def _log_all() -> int:
    while await log.sequence():
        pass
    return await log.last_position()


async def _cut() -> cuts.Cut:
    """As if another PostgreSQL had begun to give positions."""
    await db.execute("UPDATE log_cuts SET server = 'another/00000001'")
    cut = await cuts.notice()
    assert cut is not None
    return cut


async def test_a_log_that_was_never_cut_is_dense_and_has_no_void(database: str) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    last = await _log_all()
    assert await cuts.last() is None
    assert await cuts.notice() is None, "the server is the same"
    for position in (0, 1, last, last + LOST):
        await cuts.check(position)
    assert [one async for one in audit()] == []


async def test_the_sequencer_notices_another_server_by_itself_and_goes_on_far_beyond(database: str) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    kept = await _log_all()
    await _another_server()
    deal = await there.propose("20.00")
    first = await _log_all()
    cut = await cuts.last()
    assert cut is not None
    assert (cut.kept_position, cut.books_read_at) == (kept, None)
    assert cut.first_position > kept + 1_000_000
    assert first >= cut.first_position
    assert [one async for one in audit()] == [], "the gap is no gap in the log"
    await deal.accept()
    assert await _log_all() == first + 1, "it is dense again"
    assert await cuts.last() == cut, "it is noticed once"


async def _another_server() -> None:
    await db.execute("UPDATE log_cuts SET server = 'another/00000001'")


async def test_a_position_that_an_event_had_is_given_to_no_other_however_often_the_same_moment_comes_back(
    database: str,
) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    await _log_all()
    first = await _cut()
    await there.propose("20.00")
    seen = await _log_all()
    second = await _cut()
    assert second.first_position > seen
    assert second.first_position > first.first_position, "and greater than all that the first could give until now"
    assert [one async for one in audit()] == []


async def test_an_operator_may_declare_what_no_server_can_know(database: str) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    kept = await _log_all()
    cut = await cuts.notice(declared=True)
    assert cut is not None
    assert cut.kept_position == kept
    with pytest.raises(LogWasCut) as told:
        await cuts.check(kept + LOST)
    assert told.value.kept == cursors.print_cursor(kept)
    await cuts.check(kept)
    await cuts.check(cut.first_position)


async def test_a_deployment_that_was_cut_twice_tells_each_reader_the_last_event_that_it_has_in_common(
    database: str,
) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    await _log_all()
    first = await _cut()
    await there.propose("20.00")
    await _log_all()
    second = await _cut()
    for cut in (first, second):
        found = await cuts.at(cut.kept_position + 1)
        assert found is not None
        assert found.kept_position == cut.kept_position


async def test_the_feed_refuses_what_was_cut_off_with_what_still_holds(database: str) -> None:
    async with door() as http:
        people = await People.meet(http)
        there = people.deployment
        await there.propose("10.00")
        kept = await _log_all()
        await _cut()
        await there.propose("20.00")
        last = await _log_all()
        page = await feed.changes_page(there.client, after=kept, limit=100)
        assert page.changes[0].position > kept + LOST, "whoever has seen nothing else goes on"
        assert page.position == last
        (error,) = await people.client.errors(CHANGES, {"after": cursors.print_cursor(kept + LOST)})
        assert error["extensions"]["code"] == "LOG_CUT", error
        assert error["extensions"]["keptCursor"] == cursors.print_cursor(kept), error


async def test_a_stream_that_has_seen_nothing_that_is_no_more_goes_on(database: str) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    kept = await _log_all()
    hub = Hub(poll_seconds=0.02)
    async with hub.connected(replace(there.client, key_id=None), lambda _: None) as viewer:
        reader = Reader(hub, viewer, after=kept)
        assert reader.go_live()
        await _cut()
        await there.propose("20.00")
        await _log_all()
        heard = await reader.next()
        assert heard.position > kept + LOST
        late = Reader(hub, viewer, after=kept)
        assert (await late.next()).position == heard.position, "nor does the window miss anything"


async def test_streams_that_were_told_more_end_with_the_next_event(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Ending] = []
    monkeypatch.setattr(Keys, "end_all", lambda _, ending: ended.append(ending))
    there = await Deployment.make()
    hub = Hub(poll_seconds=0.02, look_seconds=1e9)
    async with hub.connected(replace(there.client, key_id=None), lambda _: None):
        await there.propose("10.00")
        kept = await _log_all()
        await until(lambda: hub.position == kept)  # it has looked for a cut by then, and does so no more by itself
        hub.position = kept + LOST  # the database was another one then
        await _cut()
        assert ended == []
        await there.propose("20.00")
        last = await _log_all()
        await until(lambda: hub.position == last)
        assert ended == [Ending.CUT]


def test_all_streams_end_at_once() -> None:
    ended: list[Ending] = []
    viewers = [
        Viewer(Actor(ActorKind.ACCOUNT, "acc_1", key), ended.append, is_admitted=True) for key in ("key_1", "key_2")
    ]
    Keys({str(viewer.actor.key_id): {viewer} for viewer in viewers}).end_all(Ending.CUT)
    assert ended == [Ending.CUT, Ending.CUT]
    for viewer in viewers:
        with pytest.raises(Ended):
            viewer.check()


async def test_what_walks_the_log_by_positions_steps_over_a_cut(database: str) -> None:
    there = await Deployment.make()
    await there.propose("10.00")
    kept = await _log_all()
    cut = await _cut()
    await there.propose("20.00")
    last = await _log_all()
    parts = await cuts.stretches(last, positions=2)
    places = [place for start, end in parts for place in range(start, end + 1)]
    assert places == [*range(1, kept + 1), *range(cut.first_position, last + 1)]
    assert [one async for one in audit_deliveries()] == []
    now = await database_time()
    assert await replays.position_recorded_before(now + 60) == last
    assert await replays.position_recorded_before(0) == 0
    endpoint = await make_endpoint(there.operator, account_id=there.client.account_id)
    await replays.replay(endpoint.id, after=0)
    for _ in range(10):
        await db.execute("UPDATE replays SET due_at = now() WHERE due_at IS NOT NULL")
        await replays.step()
    assert await db.fetch_value("SELECT count(*) FROM replays WHERE due_at IS NOT NULL") == 0


async def test_moments_are_found_in_a_log_that_was_cut_before_its_first_event(database: str) -> None:
    cut = await _cut()
    there = await Deployment.make()
    await there.propose("10.00")
    last = await _log_all()
    assert await replays.position_recorded_before(0) < cut.first_position < last
    assert await replays.position_recorded_before(await database_time() + 60) == last
    assert await retention.prune() == 0


async def database_time() -> float:
    return float(await db.fetch_value("SELECT extract(epoch FROM clock_timestamp())::float8"))
