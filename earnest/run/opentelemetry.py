"""Is OpenTelemetry's side: our spans as its spans, our figures as its metrics, sent by OTLP over HTTP.

The one module that imports its SDK. Trace ids are ours, so that a trace that began here is called the same in the log.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as TheirSpan

from escrow import traces
from escrow.meters import Figure, Kind, Value
from escrow.spans import Kind as SpanSide
from escrow.spans import Value as Said
from escrow.traces import Trace

SCOPE: Final = "earnest"


class _OurIds(RandomIdGenerator):
    """The first span of a trace takes the id under which the log knows it."""

    def generate_trace_id(self) -> int:
        return int(traces.current().id, 16)


class Exporting:
    """What one process exports. Its variables are read by the SDK: sampler, headers, time-outs, resource."""

    def __init__(self, process: str) -> None:
        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say wins over our name.
        own = Resource({SERVICE_NAME: f"earnest-{process}"})
        self._resource = own.merge(_told())
        self._since = time.time_ns()
        self._provider = TracerProvider(resource=self._resource, id_generator=_OurIds(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(SCOPE)
        self._metrics = OTLPMetricExporter()

    def span(self, name: str, side: SpanSide, attributes: Mapping[str, Said]) -> _Open:
        """A recorder, as `escrow.spans` has it."""
        parent = traces.current()
        span = self._tracer.start_span(
            name, context=_below(parent), kind=SpanKind[side.value], attributes=_dotted(attributes)
        )
        return _Open(span, parent)

    def export(self, figures: Sequence[Figure]) -> None:
        """Send figures; what can't be sent is sent the next time, since all but gauges only grow. Blocks."""
        now = time.time_ns()
        metrics = [_metric(figure, self._since, now) for figure in figures if figure.values]
        scoped = ScopeMetrics(scope=InstrumentationScope(SCOPE), metrics=metrics, schema_url="")
        resource = ResourceMetrics(resource=self._resource, scope_metrics=[scoped], schema_url="")
        self._metrics.export(MetricsData(resource_metrics=[resource]))

    def close(self) -> None:
        """Send what is left. Blocks."""
        self._provider.shutdown()
        self._metrics.shutdown()


class _Open:
    """A span while it goes on: whatever is done meanwhile stands below it."""

    def __init__(self, span: TheirSpan, parent: Trace) -> None:
        self._span = span
        own = span.get_span_context()
        flags = f"{int(own.trace_flags):02x}"
        self._trace = parent._replace(span=f"{own.span_id:016x}", flags=flags, is_new=False)
        self._entered: Token[Trace] | None = None

    def __enter__(self) -> _Open:
        self._entered = traces.enter(self._trace)
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._entered is not None:
            traces.leave(self._entered)
        if kind is not None:
            self.failed(kind.__name__)
        self._span.end()

    def say(self, **attributes: Said) -> None:
        self._span.set_attributes(_dotted(attributes))

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR, kind))


def _told() -> Resource:
    """What the environment says of this process, without the SDK's own name for those that say none."""
    told = Resource.create()
    named = dict(told.attributes)
    if str(named[SERVICE_NAME]).startswith(_UNKNOWN):
        del named[SERVICE_NAME]
    return Resource(named)


_UNKNOWN: Final = "unknown_service"


def _below(parent: Trace) -> Context:
    """The context of a span below this place; an empty one begins the trace."""
    if parent.is_new:
        return Context()
    flags, state = TraceFlags(int(parent.flags, 16)), TraceState.from_header([parent.state or ""])
    place = SpanContext(int(parent.id, 16), int(parent.span, 16), is_remote=True, trace_flags=flags, trace_state=state)
    return set_span_in_context(NonRecordingSpan(place), Context())


def _dotted(attributes: Mapping[str, Said]) -> dict[str, Said]:
    """`http_response_status_code` is called `http.response.status_code`: the last `_` of such names stays."""
    return {_NAMES.get(name, name.replace("_", ".")): value for name, value in attributes.items()}


_NAMES: Final = {"http_response_status_code": "http.response.status_code"}


# --- metrics ---------------------------------------------------------------------------------------------------------


def _metric(figure: Figure, since: int, now: int) -> Metric:
    if figure.kind is Kind.HISTOGRAM:
        data: Sum | Gauge | Histogram = Histogram(
            _histogram(figure.values, since, now), AggregationTemporality.CUMULATIVE
        )
    else:
        points = [_point(value, since, now) for value in figure.values]
        is_counter = figure.kind is Kind.COUNTER
        data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True) if is_counter else Gauge(points)
    return Metric(
        name=figure.name, description=figure.said, unit="s" if figure.name.endswith("_seconds") else "", data=data
    )


def _point(value: Value, since: int, now: int) -> NumberDataPoint:
    return NumberDataPoint(
        attributes=dict(value.labels), start_time_unix_nano=since, time_unix_nano=now, value=float(value.value)
    )


def _histogram(values: Sequence[Value], since: int, now: int) -> list[HistogramDataPoint]:
    """One point for each set of labels: counts up to each bound, as Prometheus has them, become counts between bounds."""
    points: list[HistogramDataPoint] = []
    bounds: list[float] = []
    counts: list[int] = []
    total = 0
    for value in values:
        match value.suffix:
            case "_bucket":
                bounds.append(float(dict(value.labels)["le"]))
                counts.append(int(value.value) - sum(counts))
            case "_count":
                total = int(value.value)
            case _:
                points.append(
                    HistogramDataPoint(
                        attributes=dict(value.labels), start_time_unix_nano=since, time_unix_nano=now, count=total,
                        sum=value.value, bucket_counts=counts, explicit_bounds=bounds[:-1],
                        min=None,  # type: ignore[arg-type]  # nobody kept it: the protocol lets it be left out
                        max=None,  # type: ignore[arg-type]
                    )
                )  # fmt: skip
                bounds, counts = [], []
    return points
