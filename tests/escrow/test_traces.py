"""Traces: what a `traceparent` may look like, what is kept of it, and that rows written by any command have it."""

from __future__ import annotations

import pytest

from escrow import traces
from escrow.database import fetch
from escrow.traces import Trace, read
from tests.factories import Deployment

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_what_is_kept_reads_back() -> None:
    for trace in (Trace(ID, SPAN), Trace(ID, SPAN, "00", "order 7".replace(" ", ":")), traces.new("x")):
        assert read(trace.kept()) == trace._replace(is_new=False)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        f"00-{ID}-{SPAN}",
        f"00-{ID.upper()}-{SPAN}-01",
        f"ff-{ID}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{ID}-{'0' * 16}-01",
        f"00-{ID}-{SPAN}-01-more",
    ],
)
def test_what_the_standard_calls_invalid_is_no_trace(text: str | None) -> None:
    assert read(text) is None


def test_a_later_version_may_say_more() -> None:
    assert read(f"01-{ID}-{SPAN}-01-more") == Trace(ID, SPAN, "01")


def test_new_ones_differ_and_name_no_recorded_span() -> None:
    first, second = traces.new(), traces.new()
    assert first.is_new
    assert len({first.id, second.id, first.span, second.span}) == 4


@pytest.mark.usefixtures("database")
async def test_events_and_orders_keep_the_trace_of_the_command_that_wrote_them() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    entered = traces.enter(Trace(ID, SPAN, request_id="mine"))
    try:
        await deal.fund()
    finally:
        traces.leave(entered)
    kept = f"00-{ID}-{SPAN}-01 mine"
    rows = await fetch("SELECT type FROM events WHERE trace = $1", kept)
    assert [row["type"] for row in rows] == ["deposit.started"]
    (order,) = await fetch("SELECT trace FROM payment_orders")
    assert order["trace"] == kept


@pytest.mark.usefixtures("database")
async def test_an_order_keeps_the_trace_of_its_making_whatever_changes_it() -> None:
    there = await Deployment.make()
    deal = await there.activate()
    order = await deal.fund()
    (before,) = await fetch("SELECT trace FROM payment_orders")
    entered = traces.enter(Trace(ID, SPAN))
    try:
        await deal.confirm(order)
    finally:
        traces.leave(entered)
    assert await fetch("SELECT trace FROM payment_orders") == [before]
    assert before["trace"] != Trace(ID, SPAN).kept()
