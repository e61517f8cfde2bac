"""Every connection of the schema does as all do: pages both ways, refusals, totals, and what they cost in statements.

Whoever adds one finds its name missing here, or in the story that fills them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import orjson
import pytest_asyncio

from escrow import database
from escrow.access import PROVIDER, Scope
from escrow.agreement import commands as c
from escrow.pipeline import run
from tests.api.client import PARTY_SCOPES, Caller, People, with_key
from tests.factories import Deal, advance_clock, draft, make_endpoint
from tests.schema.test_connections import PAGING, asking, every_connection
from tests.webhooks.partner import fan_out_only

PAGE = (
    "edges { cursor node { __typename } } nodes { __typename } "
    "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
)
COUNTED = f"{PAGE} totalCount hasMoreThanTotalCount"
ROOT = "Query"

OPERATORS = frozenset({"Query.operatorActs", "Query.refusedCredentials"})
"""Lists of the operator alone; nobody else may even ask."""

Asked = dict[str, int | str | None]
"""The arguments of a page."""


@dataclass(frozen=True, slots=True)
class Story:
    """Who sees all of it, and two things of each type, the first with several of everything that belongs to it."""

    viewers: dict[str, Caller]
    stranger: Caller
    ids: dict[str, tuple[str, str]]

    def viewer(self, name: str) -> Caller:
        """The operator for what lists accounts, and for what is the operator's; else the client."""
        return self.viewers["operator" if name in {"Query.accounts", *OPERATORS} else "client"]

    async def answer(
        self, name: str, page: str, asked: Asked, *, parents: int = 1, by: Caller | None = None
    ) -> dict[str, Any]:
        """What is answered to the connection `name`: of one thing, or of two."""
        kind = name.partition(".")[0]
        text = asking(name, page, ", ".join(f"{one}: ${one}" for one in PAGING))
        head = ", ".join(f"${one}: {type_}" for one, type_ in PAGING.items())
        ids = {} if kind == ROOT else {"ids": self.ids[kind][:parents]}
        query = f"query ({head}{', $ids: [ID!]!' if ids else ''}) {{ {text} }}"
        answer: dict[str, Any] = (await (by or self.viewer(name)).post(query, {**asked, **ids})).json()
        return answer

    async def page(self, name: str, asked: Asked, *, by: Caller | None = None) -> Any:
        """One page, counted."""
        answer = await self.answer(name, COUNTED, asked, by=by)
        assert "errors" not in answer, answer
        if name.startswith(f"{ROOT}."):
            return answer["data"][name.partition(".")[2]]
        node = answer["data"]["nodes"][0]
        return node and node[name.partition(".")[2]]

    async def refusal(self, name: str, asked: Asked) -> tuple[str, str]:
        """Code and message of a page that is none."""
        (error, *_) = (await self.answer(name, PAGE, asked))["errors"]
        return error["extensions"]["code"], error["message"]


@pytest_asyncio.fixture(loop_scope="session")
async def story(people: People) -> Story:
    """Contracts, and in one of them several of everything."""
    there = people.deployment
    for _ in range(3):
        await make_endpoint(there.client, event_types=("contract.*", "dispute.*"))
    await fan_out_only()
    deal, other = [await _eventful(await there.activate("90.00", "90.00", "90.00")) for _ in range(2)]
    await there.propose()
    for one in (deal, other):
        await _with_a_stuck_order(one)
    for _ in range(2):
        lost = await there.activate("90.00")
        deposit_id = await lost.fund()
        await lost.confirm(deposit_id)
        await lost.reverse(deposit_id)
    await fan_out_only()
    await database.execute(
        "INSERT INTO delivery_attempts (id, delivery_id, token, started_at, status) "
        "SELECT 'att_' || lpad(n::text, 26, '0'), d.id, gen_random_uuid(), clock_timestamp(), 200 "
        "FROM (SELECT id, row_number() OVER (ORDER BY id) AS place FROM deliveries) AS d "
        "CROSS JOIN generate_series(1, 3) AS m CROSS JOIN LATERAL (SELECT d.place * 10 + m AS n) AS x"
    )
    scopes = (*PARTY_SCOPES, Scope.WEBHOOKS_MANAGE)
    client = await with_key(people.client.http, there.client, there.operator, scopes)
    for address in ("192.0.2.1", "192.0.2.2"):
        await database.execute(
            "INSERT INTO refused_credentials (since, reason, client, times) VALUES (now(), 'no such key', $1, 7)",
            address,
        )
    for _ in range(4):
        await client.done("createSession", {"scopes": ["CONTRACTS_READ"]}, "token")
    pairs = {
        "Contract": "SELECT id FROM contracts WHERE id = ANY ($1) ORDER BY id",
        "Milestone": "SELECT id FROM milestones WHERE contract_id = ANY ($1) ORDER BY position, id",
        "Dispute": "SELECT dispute_id FROM evidence WHERE contract_id = ANY ($1) GROUP BY 1 ORDER BY 1",
        "Event": "SELECT event_id FROM deliveries WHERE stream_id = ANY ($1) GROUP BY 1 ORDER BY count(*) DESC, 1",
        "Delivery": "SELECT id FROM deliveries WHERE stream_id = ANY ($1) ORDER BY id",
    }
    found = {kind: await database.fetch(sql, [deal.id, other.id]) for kind, sql in pairs.items()}
    return Story(
        viewers={"client": client, "operator": people.operator},
        stranger=await people.stranger(scopes=scopes),
        ids={kind: (rows[0][0], rows[1][0]) for kind, rows in found.items()}
        | {"Account": (people.client.account_id, people.freelancer.account_id)},
    )


async def _eventful(deal: Deal) -> Deal:
    """Everything that belongs to a contract, and to its first milestone, more than once."""
    for position in (1, 2):
        await deal.confirm(await deal.fund(position))
        for place in (None, position, position):
            await run(deal.update(place), by=deal.freelancer)
    for _ in range(2):
        await deal.submit()
        await deal.request_changes()
        await run(
            c.WithdrawChangeRequest(change_request_id=await deal.file(c.AddChange(milestone=draft("More")))),
            by=deal.freelancer,
        )
        await run(c.WithdrawRefund(refund_id=await deal.request_refund(amount="1.00")), by=deal.client)
        await advance_clock(hours=49)
        dispute_id = await deal.open_dispute(claim="1.00")
        for by in (deal.client, deal.freelancer, deal.client):
            await run(deal.evidence(dispute_id), by=by)
        await run(c.WithdrawDispute(dispute_id=dispute_id), by=deal.client)
        await advance_clock(hours=49)
    return deal


async def _with_a_stuck_order(deal: Deal) -> None:
    """A refund of which nobody knows what became."""
    refund_id = await deal.request_refund(amount="1.00")
    await run(c.AcceptRefund(refund_id=refund_id), by=deal.freelancer)
    order_id = await database.fetch_value(
        "SELECT id FROM payment_orders WHERE contract_id = $1 AND kind = 'REFUND' ORDER BY id DESC LIMIT 1", deal.id
    )
    await run(c.MarkStuck(contract_id=deal.id, order_id=order_id, reason="nobody knows"), by=PROVIDER)


async def test_a_page_is_a_part_of_the_list_from_either_end(story: Story) -> None:
    for name in every_connection():
        whole = await story.page(name, {"first": 100})
        cursors = [edge["cursor"] for edge in whole["edges"]]
        assert len(cursors) == len(set(cursors)) > 1, f"the story has too few of {name}"
        assert whole["edges"][:50] == (await story.page(name, {}))["edges"]
        assert whole["edges"][-50:] == (await story.page(name, {"last": 50}))["edges"]
        for size in (1 + len(cursors) // 3, len(cursors)):
            for from_end in (False, True):
                assert await _read(story, name, size, from_end=from_end) == whole["edges"], (name, size, from_end)
        for past, is_last in (({"after": cursors[-1]}, False), ({"before": cursors[0]}, True)):
            nothing = {"hasNextPage": is_last, "hasPreviousPage": not is_last}
            empty = {"edges": [], "nodes": [], "pageInfo": nothing | {"startCursor": None, "endCursor": None}}
            counted = {"totalCount": len(cursors), "hasMoreThanTotalCount": False}
            assert await story.page(name, past) == empty | counted, name


async def _read(story: Story, name: str, size: int, *, from_end: bool) -> list[Any]:
    """The edges of the whole list, page by page; each page says what is around it."""
    found: list[Any] = []
    place: str | None = None
    while True:
        page = await story.page(name, {"last": size, "before": place} if from_end else {"first": size, "after": place})
        edges, info = page["edges"], page["pageInfo"]
        assert [edge["node"] for edge in edges] == page["nodes"]
        assert (info["startCursor"], info["endCursor"]) == (edges[0]["cursor"], edges[-1]["cursor"])
        further, behind = ("hasPreviousPage", "hasNextPage") if from_end else ("hasNextPage", "hasPreviousPage")
        assert info[behind] is (place is not None)
        assert len(edges) == size or not info[further]
        found = edges + found if from_end else found + edges
        assert info[further] is (len(found) < page["totalCount"])
        if not info[further]:
            return found
        place = info["startCursor" if from_end else "endCursor"]


ENDS = ("first", "last")
MIXED = "use them without `first` and `after`"
FOREIGN = "This cursor is not one of this list"
NO_PAGES: list[tuple[Asked, str]] = [
    ({"first": 1, "last": 1}, MIXED),
    ({"last": 1, "after": "x"}, MIXED),
    ({"first": 1, "before": "x"}, MIXED),
    ({"after": "x", "before": "x"}, MIXED),
    ({"first": 0}, "`first` must be from 1 to 100, not 0"),
    ({"first": 101}, "`first` must be from 1 to 100, not 101"),
    ({"last": -1}, "`last` must be from 1 to 100, not -1"),
    ({"last": 101}, "`last` must be from 1 to 100, not 101"),
    ({"first": 1, "after": "x"}, FOREIGN),
    ({"last": 1, "before": "x"}, FOREIGN),
    ({"after": "bm9uc2Vuc2U6MQ"}, FOREIGN),
]


async def test_a_page_that_is_none_is_refused(story: Story) -> None:
    for name in every_connection():
        for asked, says in NO_PAGES:
            code, message = await story.refusal(name, asked)
            assert (code, says in message) == ("BAD_REQUEST", True), (name, asked, message)


async def test_what_may_not_be_seen_is_neither_listed_nor_counted(story: Story) -> None:
    for name in every_connection().keys() - OPERATORS:
        page = await story.page(name, {}, by=story.stranger)
        own = 1 if name == "Query.accounts" else 0
        seen = (len(page["edges"]), page["totalCount"], page["hasMoreThanTotalCount"]) if page is not None else None
        assert seen in (None, (own, own, False)), name


async def test_what_is_the_operators_is_for_nobody_else(story: Story) -> None:
    for name in OPERATORS:
        for by in (story.stranger, story.viewers["client"]):
            answer = await story.answer(name, COUNTED, {}, by=by)
            assert [one["extensions"]["code"] for one in answer["errors"]] == ["FORBIDDEN"], (name, answer)
            assert answer.get("data") is None, (name, answer)


async def test_counting_costs_a_statement_when_it_is_asked_for_and_none_more_for_more_parents(story: Story) -> None:
    for name in every_connection():
        around = 1 if name.startswith(f"{ROOT}.") else 2  # the key, and what it belongs to
        for parents in (1, 2):
            for end in ENDS:
                costs = []
                for page in (PAGE, COUNTED):
                    with database.counting() as statements:
                        answer = await story.answer(name, page, {end: 2}, parents=parents)
                    assert "errors" not in answer
                    costs.append(len(statements))
                assert costs == [around + 1, around + 2], (name, parents, end)


async def test_no_page_and_no_count_reads_a_table_whole(untouched_database: str, story: Story) -> None:
    """What each table is entered by, in the plan that holds for whatever is asked."""
    for name in every_connection():
        for end in ENDS:
            with database.counting() as statements:
                await story.answer(name, COUNTED, {end: 2}, parents=2)
            for sql in statements[-2:]:
                entered = await _entered(sql)
                assert {table: how for table, how in entered.items() if not how} == {}, (name, sql)


LARGE = """
    UPDATE pg_class SET reltuples = 1000000,
        relpages = greatest(pg_relation_size(oid) / current_setting('block_size')::int, 1)
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r';
    DELETE FROM pg_statistic WHERE starelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
"""
"""A million rows in each, on however many pages others left behind, and nothing known of what is in them."""

PARTIAL = "SELECT array_agg(indexrelid::regclass::text) FROM pg_index WHERE indpred IS NOT NULL"
"""Indexes of some of the rows alone."""


async def _entered(sql: str) -> dict[str, bool]:
    """The tables of a statement, and whether each is entered by conditions on an index, or by an index of some rows alone."""
    nulls = ", ".join(["NULL"] * max(map(int, re.findall(r"\$(\d+)", sql))))
    async with database.transaction() as connection:
        # How a small table is read is chance, so PostgreSQL takes them all for large ones and reads none whole if it can.
        await connection.execute(f"SAVEPOINT small; {LARGE}; SET LOCAL enable_seqscan = off")
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked AS {sql}")
        plan = orjson.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked ({nulls})"))[0]["Plan"]
        await connection.execute("DEALLOCATE asked; ROLLBACK TO SAVEPOINT small")
        partial = await connection.fetchval(PARTIAL)
    entered: dict[str, bool] = {}

    def walk(node: dict[str, Any]) -> None:
        table = node.get("Relation Name")
        if table is not None:
            is_by_index = (
                "Index Cond" in node or node["Node Type"] == "Bitmap Heap Scan" or node.get("Index Name") in partial
            )
            entered[table] = entered.get(table, True) and is_by_index
        for child in node.get("Plans", ()):
            walk(child)

    walk(plan)
    return entered
