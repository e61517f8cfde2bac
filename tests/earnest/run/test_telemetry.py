"""OpenTelemetry: nothing of it is there when it is off, and what is exported when it is on is what happened."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from earnest.run import telemetry
from earnest.run.telemetry import Signal
from escrow import meters, spans, traces
from escrow.environment import SettingError
from escrow.meters import Counter, Histogram
from escrow.spans import Kind
from escrow.traces import Trace
from tests.earnest.running import clean_environment
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.collector import Collector, collecting

PLACE = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACE = Trace("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", state="congo=t61")


@pytest.fixture(autouse=True)
def all_that_is_left_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is."""
    monkeypatch.setattr(telemetry, "END_SECONDS", PATIENCE_SECONDS)


def test_a_whole_deployment_imports_nothing_of_it_when_it_is_off() -> None:
    program = """
import asyncio, sys
import api.app, workers.main, earnest.commands.web, earnest.commands.worker, earnest.run.serving, earnest.run.watching
from earnest.run import telemetry
from escrow import spans
async def run():
    async with telemetry.exported("web"):
        with spans.span("x") as span:
            span.say(a=1)
asyncio.run(run())
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    environ = {name: value for name, value in clean_environment().items() if not name.startswith("OTEL_")}
    ran = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr


def test_a_span_that_nobody_records_is_always_the_same_object() -> None:
    assert spans.span("x", Kind.CLIENT, a=1) is spans.span("y")


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, set()),
        ({PLACE: ""}, set()),
        ({PLACE: "http://x"}, {Signal.TRACES, Signal.METRICS}),
        ({PLACE: "http://x", "OTEL_SDK_DISABLED": "TRUE"}, set()),
        ({PLACE: "http://x", "OTEL_METRICS_EXPORTER": "none"}, {Signal.TRACES}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://x/v1/metrics"}, {Signal.METRICS}),
    ],
)
def test_the_standard_variables_say_what_is_exported(environ: dict[str, str], signals: set[Signal]) -> None:
    assert telemetry.configured(environ) == signals


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        (PLACE, "collector:4318", "such as http://collector:4318"),
        (PLACE, "grpc://collector:4317", "such as http://collector:4318"),
        (PLACE, "http://", "such as http://collector:4318"),
        (PLACE, "http://user:hunter2@collector:port", "such as http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector", "such as http://collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be http/protobuf"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json", "must be http/protobuf"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "must be name=value"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "api-key: hunter2", "must be name=value"),
        ("OTEL_TRACES_EXPORTER", "console", "must be otlp or none"),
    ],
)
async def test_what_would_never_arrive_refuses_to_start(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, right: str
) -> None:
    monkeypatch.setenv(PLACE, "http://127.0.0.1:9")
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingError, match=rf"^{variable} .*{right}") as refused:
        async with telemetry.exported("web"):
            pass
    assert refused.value.variable == variable
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("headers", ["", " ", "api-key=abc", "authorization=Bearer%20x, x-tenant = 7,", "a=b=c=="])
def test_headers_are_taken_as_opentelemetry_writes_them(headers: str) -> None:
    given = {PLACE: "https://collector.example.com", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    assert telemetry.configured(given) == set(Signal)


def test_what_is_off_or_goes_nowhere_may_be_anything() -> None:
    assert telemetry.configured({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", PLACE: " "}) == set()
    assert telemetry.configured({PLACE: "collector", "OTEL_SDK_DISABLED": "true"}) == set()
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    assert telemetry.configured({PLACE: "http://x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} | none) == set()


@pytest.mark.parametrize("text", ["soon", "0", "-1", "1.5", "²", "9" * 400, "9" * 5_000])
def test_a_wrong_interval_refuses_to_start(text: str) -> None:
    with pytest.raises(SettingError, match="OTEL_METRIC_EXPORT_INTERVAL"):
        telemetry.interval_seconds({"OTEL_METRIC_EXPORT_INTERVAL": text})


async def test_without_the_packages_the_start_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACE, "http://127.0.0.1:9")
    monkeypatch.delitem(sys.modules, "earnest.run.opentelemetry", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with pytest.raises(SettingError, match=rf"{PLACE} is set, but .+ install earnest\[telemetry\]"):
        async with telemetry.exported("web"):
            pass


async def _exported(monkeypatch: pytest.MonkeyPatch, collector: Collector, **variables: str) -> None:
    """What two spans and two meters come to."""
    monkeypatch.setattr(meters, "_meters", {})
    for name, value in {PLACE: collector.url, **variables}.items():
        monkeypatch.setenv(name, value)
    counter, seconds = Counter("earnest_x", "x", "by"), Histogram("earnest_y_seconds", "y", bounds=(0.1, 1.0))
    async with telemetry.exported("web"):
        entered = traces.enter(TRACE)
        with spans.span("outer", Kind.SERVER, http_response_status_code=200):
            await _failing()
        traces.leave(entered)
        counter.add("a", by=2)
        for took in (0.05, 0.5, 5.0):
            seconds.observe(took)
    assert not spans.is_recording()


async def _failing() -> None:
    with suppress(KeyError), spans.span("inner", earnest_command="Fund"):
        assert traces.trace_id() == TRACE.id
        await asyncio.sleep(0)
        raise KeyError("a person's words")


async def test_spans_and_figures_arrive_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as collector:
        await _exported(monkeypatch, collector, OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test")
    spans_by_name = {span.name: span for span in collector.spans}
    outer, inner = spans_by_name["outer"], spans_by_name["inner"]
    assert (outer.trace_id, outer.parent_id) == (TRACE.id, TRACE.span)
    assert (inner.trace_id, inner.parent_id, outer.service) == (TRACE.id, outer.span_id, "earnest-web")
    assert outer.attributes == {"http.response.status_code": 200}
    assert outer.state == inner.state == TRACE.state
    assert inner.attributes == {"earnest.command": "Fund", "error.type": "KeyError"}, "and no words"
    (point,) = collector.metrics["earnest-web", "earnest_x"].sum.data_points
    assert point.as_double == 2
    (measured,) = collector.metrics["earnest-web", "earnest_y_seconds"].histogram.data_points
    assert (measured.count, measured.sum) == (3, pytest.approx(5.55))
    assert (list(measured.explicit_bounds), list(measured.bucket_counts)) == ([0.1, 1.0], [1, 1, 1])
    assert not measured.HasField("min"), "nobody knows it"
    assert not measured.HasField("max")


async def test_a_trace_that_begins_here_has_the_id_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async with collecting() as collector:
        monkeypatch.setenv(PLACE, collector.url)
        async with telemetry.exported("web"):
            entered = traces.enter(traces.new())
            trace = traces.trace_id()
            with spans.span("first"):
                pass
            traces.leave(entered)
    assert [(span.name, span.trace_id, span.parent_id) for span in collector.spans] == [("first", trace, "")]


async def test_a_caller_that_samples_nothing_has_nothing_recorded_but_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with collecting() as collector:
        monkeypatch.setenv(PLACE, collector.url)
        async with telemetry.exported("web"):
            entered = traces.enter(TRACE._replace(flags="00"))
            with spans.span("unseen"):
                header = traces.current().header()
            traces.leave(entered)
    assert collector.spans == []
    assert header.startswith(f"00-{TRACE.id}-")
    assert header.endswith("-00")


async def test_a_collector_that_is_away_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    there = threading.Event()

    class Hanging:
        span = None

        def close(self) -> None:
            there.wait()

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(telemetry, "_exporting", lambda *_: Hanging())
    monkeypatch.setattr(telemetry, "END_SECONDS", 0.01)
    try:
        async with telemetry.exported("web"):
            pass
        assert any(thread.name == "telemetry" for thread in threading.enumerate()), "it is left behind"
    finally:
        there.set()
