"""One command, found by its trace in everything that it came to: two processes' logs, the provider, the webhook, the spans."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from escrow import ids, pipeline
from escrow.access import Scope
from escrow.accounts import commands, tokens
from escrow.database import fetch
from tests.docs.test_watching import alerted, drawn, exposed
from tests.earnest.demo.test_demo import web
from tests.earnest.running import free_port
from tests.factories import Deployment, make_endpoint
from tests.ops.scraping import PROMETHEUS, alerts, queries, scraped
from tests.patience import PATIENCE_SECONDS
from tests.stand_ins.collector import Span, collecting
from tests.stand_ins.stripe.serving import KEY, WEBHOOK_SECRET, playing
from tests.webhooks.partner import Arrival, partners
from tests.workers.process import until, worker

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLERS = "b7ad6b7169203331"
REQUEST = "order-7:first"
SPANS = {"POST /graphql", "command Fund", "order DEPOSIT", "provider prepare", "webhook"}
FUND = """
mutation Fund($milestone: ID!) {
  fundMilestone(input: {milestoneId: $milestone, paymentToken: "pm_card_visa"}) { deposit { id } userErrors { message } }
}
"""


async def _key(account_id: str, by: Deployment) -> str:
    token = tokens.new()
    await pipeline.run(
        commands.CreateApiKey(
            account_id=account_id, key_id=ids.new(ids.Kind.KEY), name="x", token=token,
            scopes=(Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE),
        ),
        by=by.operator,
    )  # fmt: skip
    return token.text


def _of_trace(log: Path) -> list[dict[str, Any]]:
    """The entries of a process' log that belong to the trace."""
    entries = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [entry for entry in entries if entry["trace_id"] == TRACE]


async def test_a_commands_trace_is_found_in_both_logs_at_the_provider_in_the_webhook_and_in_the_spans(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    there = await Deployment.make()
    deal = await there.activate()
    key = await _key(there.client.account_id or "", there)
    async with collecting() as collector, partners() as partner, playing() as stripe:
        await make_endpoint(there.client, partner.url(), event_types=("deposit.confirmed",))
        variables = {
            "EARNEST_PAYMENT_PROVIDER": "stripe",
            "EARNEST_STRIPE_KEY": KEY,
            "EARNEST_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "EARNEST_STRIPE_RETURN_URL": "http://127.0.0.1:9/",
            "EARNEST_STRIPE_URL": stripe.url,
            "EARNEST_LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            "EARNEST_METRICS_PORT": str(port := free_port()),
        }
        async with (
            web(database, redis_url, tmp_path / "web.log", provider=variables) as url,
            worker(database, redis_url, tmp_path / "worker.log", provider=variables),
            httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
        ):
            answer = await http.post(
                f"{url}/graphql",
                json={"query": FUND, "variables": {"milestone": deal.milestone_ids[0]}},
                headers={
                    "authorization": f"Bearer {key}",
                    "traceparent": f"00-{TRACE}-{CALLERS}-01",
                    "x-request-id": REQUEST,
                },
            )
            assert "errors" not in answer.json(), answer.text
            assert answer.json()["data"]["fundMilestone"]["userErrors"] == [], answer.text
            assert (answer.headers["x-trace-id"], answer.headers["x-request-id"]) == (TRACE, REQUEST)

            async def whole() -> bool:
                below = {span.name for span in _below_the_caller(collector.spans)}
                named = {("earnest-web", "earnest_commands"), ("earnest-worker", "earnest_provider_calls")}
                return below >= SPANS and bool(partner.arrivals) and named <= collector.metrics.keys()

            await until(whole, otherwise=lambda: _what_there_is(collector.spans, partner.arrivals, tmp_path))
            pages = [await _page(http, at) for at in (url, f"http://127.0.0.1:{port}")]
            await _prometheus_answers(
                {"earnest-web": url.removeprefix("http://"), "earnest-worker": f"127.0.0.1:{port}"}, tmp_path
            )

    # The logs of both processes, with the client's own name for its request.
    of_web, of_worker = _of_trace(tmp_path / "web.log"), _of_trace(tmp_path / "worker.log")
    assert ("command", "Fund") in {(entry["event"], entry.get("command")) for entry in of_web}
    assert {"command", "provider", "webhook"} <= {entry["event"] for entry in of_worker}
    assert {entry["request_id"] for entry in (*of_web, *of_worker)} == {REQUEST}
    # The provider's calls, and the webhook of what came of them.
    assert {parent.split("-")[1] for parent in stripe.stand_in.traces if parent} >= {TRACE}
    sent = [arrival.headers["traceparent"].split("-") for arrival in partner.arrivals]
    assert {(version, trace, flags) for version, trace, _, flags in sent} == {("00", TRACE, "01")}
    # Each went out from the span that tells of it, below those of both processes and the caller's.
    spans = _below_the_caller(collector.spans)
    assert {span.span_id for span in spans if span.name == "webhook"} & {parent for _, _, parent, _ in sent}
    asked = next(span for span in spans if span.name == "provider prepare")
    assert any(asked.span_id in (parent or "") for parent in stripe.stand_in.traces)
    assert {span.service for span in spans} == {"earnest-web", "earnest-worker"}
    # Both processes show all that the dashboard and the alerts ask for.
    shown = exposed(*pages)
    assert {name for name in (*alerted(), *drawn()) if name not in shown} == set()
    # And in the rows, where it is looked for later.
    rows = await fetch("SELECT type, trace FROM events WHERE trace LIKE $1 ORDER BY sequence", f"%{TRACE}%")
    assert [row["type"] for row in rows][:1] == ["deposit.started"]
    assert all(row["trace"].endswith(f" {REQUEST}") for row in rows)


def _below_the_caller(arrived: Sequence[Span]) -> list[Span]:
    """The trace's spans from which a way of parents leads up to the caller's; a parent ends, and arrives, after its children."""
    spans = {span.span_id: span for span in arrived if span.trace_id == TRACE}

    def leads_up(span: Span | None) -> bool:
        return span is not None and (span.parent_id == CALLERS or leads_up(spans.get(span.parent_id)))

    return [span for span in spans.values() if leads_up(span)]


async def _page(http: httpx.AsyncClient, at: str) -> str:
    """The figures of a process; on a busy machine the database may take too long for one scrape."""
    answers: list[httpx.Response] = []

    async def told() -> bool:
        answers.append(await http.get(f"{at}/metrics"))
        return answers[-1].status_code == 200

    await until(told, otherwise=lambda: answers[-1].text)
    return answers[-1].text


async def _prometheus_answers(jobs: dict[str, str], folder: Path) -> None:
    """Whatever the dashboard and the alerts ask, a real one understands, and finds something where there is something."""
    if PROMETHEUS is None:
        return  # tests/ops/test_prometheus.py says that it was left out
    asked, left = [*queries(), *alerts()], [""]
    async with scraped(folder, jobs) as prometheus:

        async def all_are_answered() -> bool:  # a rate, from the second scrape on that a series is in
            left[:] = await prometheus.unanswered(asked)
            return not left

        await until(all_are_answered, otherwise=lambda: "\n".join(left))
        assert set((await prometheus.rules()).values()) == {"ok"}


def _what_there_is(spans: list[Span], arrivals: list[Arrival], folder: Path) -> str:
    names = sorted({span.name for span in spans if span.trace_id == TRACE})
    logs = "\n".join((folder / name).read_text()[-3000:] for name in ("web.log", "worker.log"))
    return f"{names}, {len(arrivals)} webhooks\n{logs}"
