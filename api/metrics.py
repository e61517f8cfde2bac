"""Serves `/metrics`: how the deadlines and the deliveries of the deployment stand, in Prometheus' format.

All but the operations executed and what browsers reported comes from the database at the moment of the scrape, so every web
process gives the same answer and workers need no port. A scraper shows the token of `EARNEST_METRICS_TOKEN`; where none is set,
only a sandbox has the page. A scrape costs six short statements, however many clocks run and whatever was ever delivered; all
of a quarter of a second get the same. A wrong token is paid for by the address that shows it.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.live.door import Door
from api.tolls import refused
from connectors import couplings
from escrow import replica, sweep
from escrow.agreement.deadlines import ACTIONS
from escrow.payments import reconciliation
from escrow.payments.reconciliation import Standing
from escrow.queries import orders as order_queries
from escrow.replica import Read
from escrow.sweep import Backlog
from schema.compiled.compiler import Counts
from webhooks.owner import stats as deliveries
from webhooks.owner.stats import DeliveryBacklog

TIMEOUT_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


def metrics(*, token: str | None, is_open: bool) -> Callable[[Request], Awaitable[Response]]:
    """The page for those who show the token; for everybody if `is_open` and there is none; else for nobody (404)."""

    async def answer(request: Request) -> Response:
        if token is None and not is_open:
            return await refused(request, PlainTextResponse("Not Found", status_code=404))
        if token is not None and not _shows(request, token):
            said = "This needs the token of EARNEST_METRICS_TOKEN.\n"
            return await refused(request, PlainTextResponse(said, 401, headers={"www-authenticate": "Bearer"}))
        door: Door = request.app.state.door
        figures: Response = await door.figures.known(lambda: _figures(door))
        return figures

    return answer


def _shows(request: Request, token: str) -> bool:
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    # Compared in a time that tells nothing of how much was right.
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())


async def _figures(door: Door) -> Response:
    """The figures in Prometheus' text format; 503 if the database doesn't give them."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            backlog, counts = await sweep.backlog(), await sweep.counts()
            waiting = await deliveries.backlog()
            books = await reconciliation.standing()
            stuck = await order_queries.stuck_count()
            coupled = await couplings.backlog()
    except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering
        _log.warning("no metrics, the database does not answer", extra={"error": error})
        return PlainTextResponse("The database does not answer.\n", status_code=503)
    registry = CollectorRegistry(auto_describe=False)
    ours = (_executions(door.runner.counts), _policy_reports(door.policy_reports))
    registry.register(
        _Snapshot(
            *_deadlines(backlog, counts),
            *_deliveries(waiting),
            _orders(stuck),
            *_books(books),
            *_couplings(coupled),
            *_standby(),
            *ours,
        )
    )
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class _Snapshot(Collector):
    """The figures of one moment."""

    def __init__(self, *metrics: Metric) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def _executions(counts: Counts) -> Metric:
    metric = CounterMetricFamily(
        "earnest_operations", "Operations that this process executed, by who completed them", labels=["by"]
    )
    metric.add_metric(["compiled"], counts.compiled)
    metric.add_metric(["replayed"], counts.replayed)
    metric.add_metric(["graphql_core"], counts.uncompiled)
    metric.add_metric(["fallback"], counts.fallbacks.total())
    return metric


def _policy_reports(counts: Mapping[str, int]) -> Metric:
    said = "What browsers told this process that pages of ours were kept from, by the directive of their policy"
    metric = CounterMetricFamily("earnest_policy_reports", said, labels=["directive"])
    for directive, count in sorted(counts.items()):
        metric.add_metric([directive], count)
    return metric


def _standby() -> Iterator[Metric]:
    """Nothing in a deployment without a standby."""
    standby = replica.current()
    if standby is None:
        return
    standing = standby.standing()
    reads = CounterMetricFamily(
        "earnest_list_reads", "Operations of lists and the feed of this process, by who answered and why", labels=["by"]
    )
    for by in Read:
        reads.add_metric([by], standby.reads[by])
    yield reads
    said = "Whether this process reads lists from the standby: it answers, and is near enough"
    yield GaugeMetricFamily("earnest_standby_read", said, value=int(standing.is_read))
    if standing.behind_seconds is not None:
        said = "How long ago the primary had no more than the standby has, as this process sees it"
        yield GaugeMetricFamily("earnest_standby_behind_seconds", said, value=standing.behind_seconds)


def _orders(stuck: int) -> Metric:
    said = "Refunds and payouts of which nobody knows what became of them: they wait for a person, at most 10,000"
    return GaugeMetricFamily("earnest_orders_stuck", said, value=stuck)


def _deadlines(backlog: Backlog, counts: Mapping[str, int]) -> Iterator[Metric]:
    for name, said, value in (
        ("pending", "Running clocks, reminders included; an estimate beyond 10,000", backlog.pending),
        ("overdue", "Deadlines that are due and were not applied yet, at most 10,000", backlog.overdue),
        (
            "oldest_overdue_seconds",
            "How long the oldest of them has been due, in domain time",
            backlog.oldest_overdue_seconds,
        ),
        (
            "failing_contracts",
            "Contracts whose deadlines fail for a reason of ours and are tried again, at most 10,000",
            backlog.failing,
        ),
    ):
        yield GaugeMetricFamily(f"earnest_deadlines_{name}", said, value=value)
    fired = CounterMetricFamily(
        "earnest_deadlines_fired", "Deadlines applied by workers, by the event that they are", labels=["event"]
    )
    for action in ACTIONS:
        fired.add_metric([action], counts.get(action, 0))
    yield fired
    yield CounterMetricFamily(
        "earnest_deadlines_failures",
        "Attempts of workers at a contract's deadlines that failed for a reason of ours",
        value=counts.get(sweep.FAILED, 0),
    )


def _deliveries(backlog: DeliveryBacklog) -> Iterator[Metric]:
    for name, said, value in (
        (
            "deliveries_due_lanes",
            "Streams with something to send now to an endpoint that takes it, at most 10,000",
            backlog.due_lanes,
        ),
        (
            "deliveries_waiting_lanes",
            "Streams whose next attempt waits for its time or its endpoint, at most 10,000",
            backlog.waiting_lanes,
        ),
        (
            "deliveries_oldest_due_seconds",
            "How long the oldest of those that are due has been so: how late workers are",
            backlog.oldest_due_seconds,
        ),
        ("endpoints_disabled", "Webhook endpoints that are disabled", backlog.endpoints_disabled),
        ("endpoints_failing", "Webhook endpoints whose latest attempt failed", backlog.endpoints_failing),
        ("endpoints_breakers_open", "Webhook endpoints that rest after many failures", backlog.breakers_open),
    ):
        yield GaugeMetricFamily(f"earnest_{name}", said, value=value)


def _couplings(backlog: couplings.Backlog) -> Iterator[Metric]:
    for name, said, value in (
        ("active", "Contracts that are kept the same as a project of a tool", backlog.active),
        ("failing", "Those of them with something that couldn't be done", backlog.failing),
        (
            "lag_seconds",
            "How long ago the most backward one's sides were last seen to say the same",
            backlog.lag_seconds,
        ),
    ):
        yield GaugeMetricFamily(f"earnest_couplings_{name}", said, value=value)


def _books(standing: Standing) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "earnest_reconciliation_differences",
        "Sums that were others at the payment provider than in the ledger when they were last compared",
        value=standing.differences,
    )
    if standing.age_seconds is not None:
        yield GaugeMetricFamily(
            "earnest_reconciliation_age_seconds",
            "How long ago the payment provider's books were last compared with the ledger",
            value=standing.age_seconds,
        )
