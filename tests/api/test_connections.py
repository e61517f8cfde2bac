"""Connections: null is the default size, pages backwards are the forward ones, and lists are counted when they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from escrow.queries import counts
from tests.api.client import Caller, People
from tests.factories import Deal

LISTS = ["contracts", "milestones", "contracts(orderBy: DEADLINE)", "milestones(orderBy: LONGEST_UNCHANGED)"]
OF_CONTRACT = [
    "timeline",
    "transfers",
    "deposits",
    "paymentOrders",
    "submissions",
    "updates",
    "disputes",
    "refundRequests",
    "changeRequests",
]
PAGE = (
    "edges { cursor node { __typename %s } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } "
    "totalCount hasMoreThanTotalCount"
)


async def _deal(people: People) -> Deal:
    """A contract with several of most things."""
    deal = await people.deployment.fund("10.00", "20.00", "30.00")
    for _ in range(3):
        await people.freelancer.done("postUpdate", {"contractId": deal.id, "message": "On it"}, "update { number }")
    await deal.submit()
    await deal.request_changes()
    await deal.submit()
    return deal


async def _page(caller: Caller, text: str, *path: str, **asked: Any) -> dict[str, Any]:
    query = f"query ($first: Int, $after: Cursor, $last: Int, $before: Cursor) {{ {text} }}"
    page: dict[str, Any] = await caller.ask(query, asked)
    for name in path:
        page = page[name]
    return page


def _text(field: str) -> str:
    """A connection with its arguments from variables."""
    arguments = "first: $first, after: $after, last: $last, before: $before"
    given = f"{field[:-1]}, {arguments})" if field.endswith(")") else f"{field}({arguments})"
    return f"{given} {{ {PAGE % ('number' if field == 'updates' else '... on Node { id }')} }}"


async def _backwards_is_forwards(caller: Caller, text: str, *path: str) -> int:
    whole = await _page(caller, text, *path, first=100)
    edges = whole["edges"]
    assert whole["totalCount"] == len(edges)
    assert whole["hasMoreThanTotalCount"] is False
    found: list[Any] = []
    before: str | None = None
    while True:
        page = await _page(caller, text, *path, last=2, before=before)
        assert page["totalCount"] == len(edges)
        assert page["pageInfo"]["hasNextPage"] is (before is not None)
        found = page["edges"] + found
        before = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        assert [page["edges"][0]["cursor"], page["edges"][-1]["cursor"]] == [before, page["pageInfo"]["endCursor"]]
    assert found == edges
    return len(edges)


@pytest.mark.parametrize("field", LISTS)
async def test_a_list_read_backwards_is_the_list(people: People, field: str) -> None:
    for _ in range(3):
        await people.deployment.propose("1.00", "2.00")
    name = field.partition("(")[0]
    for caller in (people.client, people.freelancer):
        assert await _backwards_is_forwards(caller, _text(field), name) in (3, 6)


async def test_what_belongs_to_a_contract_read_backwards_is_what_belongs_to_it(people: People) -> None:
    deal = await _deal(people)
    counts = {
        field: await _backwards_is_forwards(
            people.client, f'contract(id: "{deal.id}") {{ {_text(field)} }}', "contract", field
        )
        for field in OF_CONTRACT
    }
    assert counts["timeline"] > 5
    assert (counts["updates"], counts["submissions"], counts["deposits"], counts["disputes"]) == (3, 2, 1, 0)


async def test_null_is_the_default_size(people: People) -> None:
    for _ in range(51):
        await people.deployment.propose("1.00")
    assert len((await _page(people.client, _text("contracts"), "contracts", first=None))["edges"]) == 50
    assert len((await people.client.ask("{ contracts(first: null) { nodes { id } } }"))["contracts"]["nodes"]) == 50
    assert len((await people.client.ask("{ contracts { nodes { id } } }"))["contracts"]["nodes"]) == 50
    changes = await people.client.ask(
        "query ($first: Int) { changes(first: $first) { nodes { cursor } } }", {"first": None}
    )
    assert changes["changes"]["nodes"] == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("first: 1, last: 1", "without `first`"),
        ('last: 1, after: "x"', "without `first`"),
        ('first: 1, before: "x"', "without `first`"),
        ("last: 0", "`last` must be from 1 to 100"),
        ("last: 101", "`last` must be from 1 to 100"),
        ('last: 1, before: "x"', "not one of this list"),
    ],
)
async def test_a_page_that_is_none_is_refused(people: People, asked: str, says: str) -> None:
    for text in (f"contracts({asked}) {{ nodes {{ id }} }}", f"milestones({asked}) {{ nodes {{ id }} }}"):
        (error,) = await people.client.errors(f"{{ {text} }}")
        assert says in error["message"]
        assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_a_page_from_the_end_counts_like_one_from_the_beginning(people: People) -> None:
    text = "{ contracts(last: 100) { nodes { timeline(last: 100) { nodes { deliveries(first: 100) { nodes { id } } } } } } }"
    (error,) = await people.client.errors(text)
    assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_a_long_list_is_counted_up_to_a_bound_and_said_to_be_longer(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = await _deal(people)
    for _ in range(3):
        await people.deployment.propose("1.00")
    monkeypatch.setattr(counts, "COUNTED_MAX", 3)
    counted = f"""{{
        contracts {{ totalCount hasMoreThanTotalCount }}
        contract(id: "{deal.id}") {{
            timeline(first: 1) {{ totalCount hasMoreThanTotalCount }} updates {{ totalCount hasMoreThanTotalCount }}
        }}
    }}"""
    found = await people.client.ask(counted)
    more, exact = ({"totalCount": 3, "hasMoreThanTotalCount": one} for one in (True, False))
    assert found == {"contracts": more, "contract": {"timeline": more, "updates": exact}}


async def test_what_may_not_be_seen_counts_as_nothing(people: People) -> None:
    deal = await _deal(people)
    stranger = await people.stranger()
    found = await stranger.ask("{ contracts { totalCount } milestones { totalCount } }")
    assert found == {"contracts": {"totalCount": 0}, "milestones": {"totalCount": 0}}
    query = f'{{ contract(id: "{deal.id}") {{ transfers {{ totalCount }} }} }}'
    assert (await people.client.ask(query))["contract"]["transfers"]["totalCount"] > 0
