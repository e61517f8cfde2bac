"""What a point is worth: the processor time that each kind of work takes, over the points that it is priced at.

A point should be about ten microseconds (`schema.engine.costs`); a kind that is off by more than twice is priced wrong, unless
its price says more than time. PostgreSQL's own time is not in it, nor the server's. Processor time is counted, so other work on
the machine matters little.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from graphql import get_introspection_query

from escrow import bell, database
from escrow.access import Actor, Scope
from escrow.settings import Reach
from schema.build import runner
from schema.engine.context import Context
from schema.engine.execution import Operation, Runner
from tests.benchmarks.hostile import drafts, offer
from tests.benchmarks.options import Options
from tests.benchmarks.tables import Table
from tests.engines import TestServer
from tests.factories import Deployment

PLAN: Final = 200
CONTRACTS: Final = 60
RUNS: Final = 5

Kind = tuple[str, str, dict[str, Any]]
"""What is said of it, a query, and its variables."""


class Counted:
    """A budget that everything can be paid from, and that counts."""

    def __init__(self) -> None:
        self.points = 0.0

    async def spend(self, points: float) -> None:
        self.points += points

    def charge(self, points: float) -> None:
        self.points += points

    def told(self) -> dict[str, Any]:
        return {}


async def tables(server: TestServer, redis_url: str, options: Options) -> list[Table]:
    """Each kind of work, by the run that took least."""
    url = await server.clone()
    await database.connect(url)
    await bell.connect(redis_url)
    try:
        there = await Deployment.make()
        long = [await there.activate(*["10.00"] * PLAN) for _ in range(6)]
        for _ in range(CONTRACTS - len(long)):
            await there.activate(*["10.00"] * 5)
        rows = [await _row(name, _running(query, variables, there)) for name, query, variables in _kinds(there, long)]
        rows += [await _row(name, _reading(text, there)) for name, text in _documents().items()]
    finally:
        await bell.disconnect()
        await database.disconnect()
        await server.drop(url)
    return [
        Table(
            name="prices",
            caption="What a point is worth: the processor time of a web process for each kind of work.",
            columns=("", "points", "µs", "µs a point"),
            rows=rows,
        )
    ]


def _kinds(there: Deployment, long: Sequence[Any]) -> list[Kind]:
    one = long[0].id
    parties = [whose.account_id or "" for whose in (there.client, there.freelancer)]
    actions = "allowedActions { action allowed reason { code message } }"
    propose = "mutation ($o: ProposeContractInput!) { proposeContract(input: $o) { contract { id } } }"
    return [
        ("a small query", "query ($id: ID!) { contract(id: $id) { id title state } }", {"id": one}),
        ("50 contracts", "{ contracts(first: 50) { nodes { id title state createdAt } } }", {}),
        ("50 contracts with milestones",
         "{ contracts(first: 50) { nodes { id milestones { id title state position } } } }", {}),
        ("6 plans of 200", "{ contracts(first: 6, orderBy: OLDEST) { nodes { id milestones { id title } } } }", {}),
        ("what is allowed on 50 contracts", "{ contracts(first: 50) { nodes { id " + actions + " } } }", {}),
        ("what is allowed on a plan of 200",
         "query ($id: ID!) { contract(id: $id) { milestones { id " + actions + " } } }", {"id": one}),
        ("next deadlines of 50 contracts", "{ contracts(first: 50) { nodes { id nextDeadline { at } } } }", {}),
        ("100 milestones", "{ milestones(first: 100) { nodes { id title state } } }", {}),
        ("timelines of 50 contracts",
         "{ contracts(first: 50) { nodes { id timeline(first: 20) { nodes { id type } } } } }", {}),
        ("100 ids", "query ($ids: [ID!]!) { nodes(ids: $ids) { id ... on Contract { title } } }", {"ids": [one] * 100}),
        ("a review of 200", "query ($p: [MilestoneDraftInput!]!) { reviewPlan(plan: $p) { message } }", {"p": drafts(PLAN)}),
        ("a preview of 200",
         "query ($o: ProposeContractInput!) { preview(command: {proposeContract: $o}) { __typename } }",
         {"o": offer(parties, PLAN)}),
        ("a proposal of 200", propose, {"o": offer(parties, PLAN)}),
        ("a proposal of 5", propose, {"o": offer(parties, 5)}),
    ]  # fmt: skip


def _documents() -> dict[str, str]:
    fields = " ".join(f"a{n}: contract(id: $id) {{ id title state createdAt }}" for n in range(40))
    return {
        "reading a short document": "query ($id: ID!) { contract(id: $id) { id title state } }",
        "reading a long document": "query ($id: ID!) { " + fields + " }",
        "reading one of introspection": get_introspection_query(),
        "finding out that it asks for too much": "{ " + " ".join(f"a{n}: __typename" for n in range(200)) + " }",
    }


def _running(query: str, variables: dict[str, Any], there: Deployment) -> Callable[[], Awaitable[tuple[float, float]]]:
    running = runner()

    async def run() -> tuple[float, float]:
        return await _measured(running, query, variables, there)

    return run


def _reading(text: str, there: Deployment) -> Callable[[], Awaitable[tuple[float, float]]]:
    running, texts = runner(), iter(range(1_000_000))

    async def read() -> tuple[float, float]:
        # A variable is missing, so nothing is run; a remark makes the document new each time.
        return await _measured(running, f"{text} # {next(texts)}", {}, there)

    return read


async def _measured(running: Runner, query: str, variables: dict[str, Any], there: Deployment) -> tuple[float, float]:
    budget = Counted()
    scopes = frozenset({Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE})
    actor = Actor(there.client.kind, there.client.account_id, scopes=scopes)
    context = Context(actor=actor, sandbox=True, reach=Reach.PUBLIC, budget=budget)
    began = time.process_time()
    answer = await running.run(Operation(query=query, variables=variables), context)
    answer.json()
    return 1e6 * (time.process_time() - began), budget.points


async def _row(name: str, run: Callable[[], Awaitable[tuple[float, float]]]) -> list[str]:
    """The median of some runs, after some that make everything ready."""
    for _ in range(3):
        await run()
    found = [await run() for _ in range(RUNS)]
    micros, points = statistics.median(one for one, _ in found), found[-1][1]
    return [name, f"{points:.0f}", f"{micros:.0f}", f"{micros / max(points, 1):.1f}"]
