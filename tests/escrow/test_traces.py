"""Traces: what a `traceparent` may look like, what is kept of it, and that rows written by any command have it."""

from __future__ import annotations

import pytest

from escrow import traces
from escrow.database import fetch
from escrow.traces import Trace, read
from tests.factories import Deployment

ID, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_what_is_kept_reads_back() -> None:
    stated = Trace(ID, SPAN, state="congo=t61rcWkgMzE,rojo=0 0")
    for trace in (
        Trace(ID, SPAN),
        Trace(ID, SPAN, "00", "order:7"),
        traces.new("x"),
        stated,
        stated._replace(request_id="y"),
    ):
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


@pytest.mark.parametrize(
    ("state", "goes_on"),
    [
        ("congo=t61rcWkgMzE", "congo=t61rcWkgMzE"),
        (" a=1 , ,\tb@c=x y,", "a=1,b@c=x y"),
        ("a=1,a=2", None),
        ("a", None),
        ("A=1", None),
        ("a=1=2", None),
        ("a=1\n", None),
        ("a=é", None),
        (",".join(f"a{number}=1" for number in range(33)), None),
        (f"a=1,b={'x' * 200},c={'y' * 100},d={'z' * 250}", f"a=1,c={'y' * 100}"),
        (",".join(f"{name}={'x' * 100}" for name in "abcdefgh"), ",".join(f"{name}={'x' * 100}" for name in "abcd")),
        (",", None),
    ],
)
def test_a_state_goes_on_if_it_is_one(state: str, goes_on: str | None) -> None:
    trace = traces.given(f"00-{ID}-{SPAN}-01", state)
    assert trace == Trace(ID, SPAN, state=goes_on)
    headers = {"traceparent": f"00-{ID}-{SPAN}-01"} | ({"tracestate": goes_on} if goes_on else {})
    assert trace is not None
    assert trace.headers() == headers


def test_a_state_without_a_trace_is_nothing_and_a_parent_can_bring_none_in() -> None:
    assert traces.given("nonsense", "a=1") is None
    assert traces.given(None, "a=1") is None
    assert traces.given(f"00-{ID}-{SPAN}-01 x\tA=1", None) == Trace(ID, SPAN)


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
