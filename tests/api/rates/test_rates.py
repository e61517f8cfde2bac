"""Whoever asks is told what it costs and what is left, and is asked to wait when nothing is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from api.app import create_app
from api.rates import budgets, pacing
from api.rates.budgets import WRONG_KEY, Rates, client_of
from escrow.settings import PaymentProvider, Settings
from schema.engine import costs
from schema.engine.limits import COST_MAX
from tests.api.client import People
from tests.factories import SECRET_KEY

SMALL = "{ viewer { role } }"


@asynccontextmanager
async def limited(points_per_second: float | None = 1.0) -> AsyncIterator[httpx.AsyncClient]:
    """The application with a rate that restores next to nothing while a test lasts; its buckets are its own."""
    settings = Settings(
        database_url="",
        redis_url="",
        secret_keys=(SECRET_KEY,),
        sandbox=True,
        payment_provider=PaymentProvider.SANDBOX,
        points_per_second=points_per_second,
    )
    transport = httpx.ASGITransport(app=create_app(settings), raise_app_exceptions=False, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://earnest.test") as client:
        yield client


async def _ask(http: httpx.AsyncClient, query: str, token: str | None = None, **variables: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return await http.post("/graphql", json={"query": query, "variables": variables}, headers=headers)


async def test_each_answer_tells_what_it_cost_and_what_is_left(people: People) -> None:
    async with limited() as http:
        first = await _ask(http, SMALL, people.client.token)
        second = await _ask(http, SMALL, people.client.token)
    cost, then = (answer.json()["extensions"]["cost"] for answer in (first, second))
    assert first.json()["data"] == {"viewer": {"role": "OWNER"}}
    assert cost["restoreRate"] == 1
    assert cost["requested"] > then["requested"] > costs.OPERATION  # the document was read once
    assert cost["available"] - then["available"] == pytest.approx(then["requested"], abs=30)
    assert int(second.headers["ratelimit-remaining"]) == then["available"]
    assert int(second.headers["ratelimit-limit"]) == COST_MAX
    assert "retry-after" not in second.headers


async def test_when_nothing_is_left_the_answer_is_429_and_says_when_to_come_back(people: People) -> None:
    plan = [{"title": "T", "deliverables": ["a"]}] * 200
    query = "query ($p: [MilestoneDraftInput!]!) { reviewPlan(plan: $p) { message } }"
    async with limited() as http:
        answers = [await _ask(http, query, people.client.token, p=plan) for _ in range(60)]
        refused = answers[-1]
        others = await _ask(http, SMALL, people.freelancer.token)
    assert answers[0].status_code == 200
    assert refused.status_code == 429
    body = refused.json()
    assert body.keys() == {"errors", "extensions"}
    assert body["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    missing = body["extensions"]["cost"]["requested"] - body["extensions"]["cost"]["available"]
    assert int(refused.headers["retry-after"]) == pytest.approx(missing, rel=0.1)
    assert others.status_code == 200  # another key has its own


async def test_what_asks_for_too_much_is_paid_for_although_nothing_is_done(people: People) -> None:
    async with limited() as http:
        before = (await _ask(http, SMALL, people.client.token)).json()["extensions"]["cost"]["available"]
        refused = await _ask(http, "{ a: __schema { description } b: __schema { description } }", people.client.token)
        after = (await _ask(http, SMALL, people.client.token)).json()["extensions"]["cost"]["available"]
    assert refused.json()["errors"][0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert before - after > costs.REFUSED


async def test_a_plan_that_is_longer_than_was_assumed_is_charged_afterwards(people: People) -> None:
    deals = [await people.deployment.propose(*["10.00"] * length) for length in (5, 110)]
    query = "query ($id: ID!) { contract(id: $id) { milestones { id } } }"
    async with limited() as http:
        first, *_ = [
            await _ask(http, query, people.client.token, id=deal.id) for deal in deals
        ]  # the document is known now
        assert first.status_code == 200
        short, long = [
            (await _ask(http, query, people.client.token, id=deal.id)).json()["extensions"]["cost"] for deal in deals
        ]
    assert long["requested"] - short["requested"] == 100 * costs.OBJECT


async def test_what_is_refused_is_not_done(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "COST_MAX", 20_000)
    monkeypatch.setattr(pacing, "PAUSE_SECONDS_MAX", 0.0)
    async with limited() as http:
        answers = [
            await http.post(
                "/graphql",
                json={
                    "query": "mutation ($i: CreateAccountInput!) { createAccount(input: $i) { account { id } } }",
                    "variables": {"i": {"name": "One of many", "type": "COMPANY"}},
                },
                headers={"authorization": f"Bearer {people.operator.token}"},
            )
            for _ in range(200)
        ]
        made = [answer for answer in answers if answer.status_code == 200]
    assert 0 < len(made) < 200
    counted = await people.operator.ask("{ accounts(first: 100) { nodes { name } } }")
    names = [node["name"] for node in counted["accounts"]["nodes"]]
    assert names.count("One of many") == min(len(made), 100 - (len(names) - names.count("One of many")))


async def test_the_operator_gives_an_account_another_rate(people: People) -> None:
    given = {"accountId": people.client.account_id, "pointsPerSecond": 123_456}
    await people.operator.done("setRate", given, "account { pointsPerSecond }")
    async with limited() as http:
        client = await _ask(http, SMALL, people.client.token)
        freelancer = await _ask(http, SMALL, people.freelancer.token)
    assert client.json()["extensions"]["cost"]["restoreRate"] == 123_456
    assert int(client.headers["ratelimit-limit"]) == 1_234_560
    assert freelancer.json()["extensions"]["cost"]["restoreRate"] == 1


async def test_introspection_without_a_key_is_paid_by_the_address_and_cheap_once_it_is_known() -> None:
    query = "{ __schema { types { fields { name args { name } } } } }"
    async with limited(1_000.0) as http:
        requested = [(await _ask(http, query)).json()["extensions"]["cost"]["requested"] for _ in range(3)]
    assert requested[0] > 10 * requested[1]
    assert requested[1] == requested[2] == costs.OPERATION


async def test_whoever_tries_many_wrong_keys_is_asked_to_wait(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "PAUSE_SECONDS_MAX", 0.0)
    monkeypatch.setattr(budgets, "COST_MAX", 150 * WRONG_KEY)
    async with limited() as http:
        answers = [await _ask(http, SMALL, f"ek_{number:043}") for number in range(155)]
        right = await _ask(http, SMALL, people.client.token)
    assert {answer.status_code for answer in answers[:100]} == {401}
    assert answers[-1].status_code == 429
    assert answers[-1].json()["errors"][0]["extensions"]["code"] == "RATE_LIMITED"
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert right.status_code == 200  # the address is barred, not the key


async def test_nothing_is_counted_where_the_operator_says_off(people: People) -> None:
    async with limited(None) as http:
        answer = await _ask(http, SMALL, people.client.token)
    assert answer.json().keys() == {"data"}
    assert not [name for name in answer.headers if name.startswith("ratelimit")]


async def test_a_body_without_a_key_may_be_short_only(people: People) -> None:
    body = orjson.dumps({"query": SMALL, "variables": {"x": "y" * 70_000}})
    async with limited() as http:
        stranger = await http.post("/graphql", content=body, headers={"content-type": "application/json"})
        known = await http.post(
            "/graphql",
            content=body,
            headers={"content-type": "application/json", "authorization": f"Bearer {people.client.token}"},
        )
    assert stranger.status_code == 413
    assert "64000 bytes, with a key 4000000" in stranger.json()["errors"][0]["message"]
    assert known.status_code == 200


@pytest.mark.parametrize("announced", [30_000_000, 60_000_000])
async def test_a_body_that_announces_too_much_is_told_so_and_pays_for_being_heard_alone(
    people: People, announced: int
) -> None:
    async with limited(0.01) as http:
        for token in (None, people.client.token):
            headers = {"content-type": "application/json", "content-length": str(announced)}
            headers |= {"authorization": f"Bearer {token}"} if token is not None else {}
            await _ask(http, "{ __typename }", token)  # the document is known now
            before = await _ask(http, "{ __typename }", token)
            refused = [await http.post("/graphql", content=b"{", headers=headers) for _ in range(3)]
            after = await _ask(http, "{ __typename }", token)
            assert [answer.status_code for answer in refused] == [413] * 3
            was, left = (one.json()["extensions"]["cost"]["available"] for one in (before, after))
            assert was - left == pytest.approx(4 * costs.OPERATION, abs=2)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_an_address_counts_as_its_network(address: str, client: str) -> None:
    assert client_of(address) == client


def test_the_dearest_operation_fits_the_smallest_bucket() -> None:
    budget = Rates(1.0).budget(None, "192.0.2.7")
    assert budget is not None
    assert int(budget.headers()["ratelimit-limit"]) >= COST_MAX
