"""Gathers the figures of a web process: what its meters count, what its door holds, and how the deployment stands.

How the deployment stands comes from the database at the moment of asking, so every web process gives the same answer: eight short
statements, however many clocks run and whatever was ever delivered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from api.live.door import Door
from connectors import couplings
from escrow import backlogs, bell, meters, replica, sweep
from escrow.agreement.deadlines import ACTIONS
from escrow.meters import Figure, counted, gauge, one
from escrow.payments import reconciliation
from escrow.payments.reconciliation import Standing
from escrow.queries import orders as order_queries
from escrow.replica import Read
from escrow.sweep import Backlog
from schema.compiled.compiler import Counts
from webhooks.owner import stats as deliveries
from webhooks.owner.stats import DeliveryBacklog


async def gather(door: Door) -> list[Figure]:
    """All of them. Fails as the database does if it doesn't answer."""
    return [*await deployment(), *await _engines(), *_of_door(door), *_annex(door), *_standby(), *meters.figures()]


async def deployment() -> list[Figure]:
    """How the deployment stands."""
    backlog, counts = await sweep.backlog(), await sweep.counts()
    waiting = await deliveries.backlog()
    books = await reconciliation.standing()
    stuck = await order_queries.stuck_count()
    coupled = await couplings.backlog()
    log, orders = await backlogs.of_log(), await backlogs.of_orders()
    return [
        *_deadlines(backlog, counts),
        *_deliveries(waiting),
        *_log(log),
        *_orders(orders, stuck),
        *_books(books),
        *_couplings(coupled),
    ]


async def _engines() -> list[Figure]:
    return [one("earnest_redis_up", "Whether Redis answers this process", float(await bell.reachable()))]


def _of_door(door: Door) -> Iterator[Figure]:
    yield _executions(door.runner.counts)
    said = "What browsers told this process that pages of ours were kept from, by the directive of their policy"
    yield counted("earnest_policy_reports", said, "directive", sorted(door.policy_reports.items()))
    yield one("earnest_connections", "Open WebSockets and event streams of this process", len(door.connections))
    yield one("earnest_subscribers", "Subscriptions that this process tells what happens", door.hub.readers)
    yield one("earnest_rate_buckets", "Clients whose points this process counts", door.rates.clients)
    yield one(
        "earnest_known_keys", "Keys of which this process remembers whose they are", len(door.authentication.keys)
    )


def _annex(door: Door) -> Iterator[Figure]:
    """Nothing in a process that hasn't opened its annex."""
    if door.annex is None:
        return
    use = door.annex.use()
    said = "Operations of this process that are dear or long: under way in its annex, and waiting for their turn"
    yield gauge("earnest_annex_operations", said, *_by_state(under_way=use.under_way, waiting=use.waiting))
    said = "Connections of this process' annex to PostgreSQL: in use, and at most"
    yield gauge("earnest_annex_connections", said, *_by_state(used=use.connections, most=use.connections_max))


def _by_state(**values: float) -> Iterator[tuple[list[tuple[str, str]], float]]:
    return (([("state", state)], value) for state, value in values.items())


def _standby() -> Iterator[Figure]:
    """Nothing in a deployment without a standby."""
    standby = replica.current()
    if standby is None:
        return
    standing = standby.standing()
    said = "Operations of lists and the feed of this process, by who answered and why"
    yield counted("earnest_list_reads", said, "by", [(by, standby.reads.get(by, 0)) for by in Read])
    said = "Whether this process reads lists from the standby: it answers, and is near enough"
    yield one("earnest_standby_read", said, int(standing.is_read))
    if standing.behind_seconds is not None:
        said = "How long ago the primary had no more than the standby has, as this process sees it"
        yield one("earnest_standby_behind_seconds", said, standing.behind_seconds)


def _executions(counts: Counts) -> Figure:
    by = {
        "compiled": counts.compiled,
        "replayed": counts.replayed,
        "graphql_core": counts.uncompiled,
        "fallback": sum(counts.fallbacks.values()),
    }
    said = "Operations that this process executed, by who completed them"
    return counted("earnest_operations", said, "by", by.items())


def _log(log: backlogs.OfLog) -> Iterator[Figure]:
    yield one("earnest_log_position", "The last position of the log", log.position)
    yield one("earnest_log_waiting", "Committed events that wait for their position, at most 10,000", log.waiting)
    said = "How long the oldest of them has waited: the sequencer's lag"
    yield one("earnest_log_lag_seconds", said, log.lag_seconds)


def _orders(orders: backlogs.OfOrders, stuck: int) -> Iterator[Figure]:
    said = "Refunds and payouts of which nobody knows what became of them: they wait for a person, at most 10,000"
    yield one("earnest_orders_stuck", said, stuck)
    said = "Orders that the payment provider has not settled, by kind, at most 10,000 in all"
    yield gauge(
        "earnest_orders_open", said, *(((("kind", kind),), number) for kind, number in sorted(orders.open.items()))
    )
    yield one("earnest_orders_due", "Orders that somebody should look at now, at most 10,000", orders.due)
    said = "How long the oldest of those that are due has been so: how late workers are"
    yield one("earnest_orders_oldest_due_seconds", said, orders.oldest_due_seconds)


def _deadlines(backlog: Backlog, counts: Mapping[str, int]) -> Iterator[Figure]:
    for name, said, value in (
        ("pending", "Running clocks, reminders included; an estimate beyond 10,000", backlog.pending),
        ("overdue", "Deadlines that are due and were not applied yet, at most 10,000", backlog.overdue),
        (
            "oldest_overdue_seconds",
            "How long the oldest of them has been due, in domain time",
            backlog.oldest_overdue_seconds,
        ),
        (
            "oldest_waiting_seconds",
            "The same without the contracts whose deadlines fail: how late workers are",
            backlog.oldest_waiting_seconds,
        ),
        (
            "failing_contracts",
            "Contracts whose deadlines fail for a reason of ours and are tried again, at most 10,000",
            backlog.failing,
        ),
    ):
        yield one(f"earnest_deadlines_{name}", said, value)
    said = "Deadlines applied by workers, by the event that they are"
    yield counted("earnest_deadlines_fired", said, "event", [(action, counts.get(action, 0)) for action in ACTIONS])
    said = "Attempts of workers at a contract's deadlines that failed for a reason of ours"
    failed = meters.Value((), counts.get(sweep.FAILED, 0))
    yield Figure("earnest_deadlines_failures", meters.Kind.COUNTER, said, [failed])


def _deliveries(backlog: DeliveryBacklog) -> Iterator[Figure]:
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
        yield one(f"earnest_{name}", said, value)


def _couplings(backlog: couplings.Backlog) -> Iterator[Figure]:
    for name, said, value in (
        ("active", "Contracts that are kept the same as a project of a tool", backlog.active),
        ("failing", "Those of them with something that couldn't be done", backlog.failing),
        (
            "lag_seconds",
            "How long ago the most backward one's sides were last seen to say the same",
            backlog.lag_seconds,
        ),
    ):
        yield one(f"earnest_couplings_{name}", said, value)


def _books(standing: Standing) -> Iterator[Figure]:
    yield one(
        "earnest_reconciliation_differences",
        "Sums that were others at the payment provider than in the ledger when they were last compared",
        standing.differences,
    )
    said = (
        "How long ago the payment provider's books were last compared with the ledger; if never, since the first order"
    )
    ages = [] if standing.age_seconds is None else [((), standing.age_seconds)]
    yield gauge("earnest_reconciliation_age_seconds", said, *ages)
