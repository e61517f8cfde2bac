"""Input that nobody should send: every answer is a clear error, nothing of the inside shows, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from escrow import database, ids
from escrow.ids import Kind
from tests.api.client import People
from tests.api.test_journey import draft, proposal

FIELDS = "contract { id }"
INSIDES = ("Traceback", "asyncpg", "psycopg", "SELECT", "INSERT", ".py", "NoneType", "object has no attribute")


async def _written() -> list[int]:
    tables = ("events", "contracts", "milestones", "texts", "idempotency_keys", "accounts", "api_keys", "members")
    return [await database.fetch_value(f"SELECT count(*) FROM {table}") for table in tables]


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nothing_is_written(people: People) -> AsyncIterator[None]:
    """Every test of this module leaves the database as it found it."""
    before = await _written()
    yield
    assert await _written() == before


def _clear(answer: dict[str, Any], code: str) -> str:
    """The message of the only error, after a look that it has the code and shows nothing of the inside."""
    (error,) = answer["errors"]
    assert error["extensions"]["code"] == code, answer
    assert not any(inside in json.dumps(answer) for inside in INSIDES), answer
    message: str = error["message"]
    return message


def _with(given: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A proposal whose first milestone has these changes."""
    first, *others = given["milestones"]
    return given | {"milestones": [first | changes, *others]}


PROPOSE = "mutation ($input: ProposeContractInput!) { proposeContract(input: $input) { contract { id } userErrors { code } } }"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": 7}, "String"),
        ({"title": None}, "title"),
        ({"milestones": "none"}, "MilestoneInput"),
        ({"nobody": "knows this"}, "nobody"),
        ({"currency": "usd"}, "three capital letters"),
        ({"currency": 840}, "three capital letters"),
        ({"windows": {"reviewHours": 1.5}}, "Int"),
        ({"windows": {"reviewHours": 2**31}}, "32-bit"),
        ({"budget": {"amount": 100, "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"budget": {"amount": 100.5, "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"budget": {"amount": "1e5", "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"budget": {"amount": "NaN", "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"budget": {"amount": "١٢", "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"budget": {"amount": "9" * 21, "currency": "USD"}}, 'a string such as "1250.00"'),
        ({"clientId": ["acc_1"]}, "ID"),
    ],
)
async def test_wrong_types_never_run(people: People, change: dict[str, Any], says: str) -> None:
    answer = (await people.client.post(PROPOSE, {"input": proposal(people, "10.00") | change})).json()
    assert "data" not in answer
    assert says in _clear(answer, "BAD_REQUEST")


@pytest.mark.parametrize(
    "due_on", ["tomorrow", "2026-02-30", "2026-2-3", "20260203", 20260203, "2026-02-03T00:00:00Z", ""]
)
async def test_a_date_that_is_none_says_what_one_looks_like(people: People, due_on: object) -> None:
    given = _with(proposal(people, "10.00"), dueOn=due_on)
    answer = (await people.client.post(PROPOSE, {"input": given})).json()
    assert '"2026-03-31"' in _clear(answer, "BAD_REQUEST")


@pytest.mark.parametrize(
    "expires_at", ["2030-01-01", "2030-01-01T00:00:00", "soon", 1893456000, "0001-01-01T00:00:00+23:59"]
)
async def test_a_time_without_an_offset_or_out_of_range_is_refused(people: People, expires_at: object) -> None:
    query = "mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { secret } }"
    given = {"accountId": people.client.account_id, "name": "x", "scopes": [], "expiresAt": expires_at}
    answer = (await people.client.post(query, {"input": given})).json()
    assert "DateTime" in _clear(answer, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"title": ""}, "INVALID_INPUT", "title"),
        ({"title": " \t\n"}, "INVALID_INPUT", "title"),
        ({"title": "x" * 201}, "INVALID_INPUT", "title"),
        ({"title": "x" * 500_000}, "INVALID_INPUT", "title"),
        ({"title": "a\nb"}, "INVALID_INPUT", "title"),
        ({"title": "\u200b\ufeff"}, "INVALID_INPUT", "title"),
        ({"title": "a\u202eb"}, "INVALID_INPUT", "title"),
        ({"description": "x" * 10_001}, "INVALID_INPUT", "description"),
        ({"message": "x" * 5_001}, "INVALID_INPUT", "message"),
        ({"timeZone": "Middle-earth/Shire"}, "INVALID_INPUT", "timeZone"),
        ({"timeZone": "../../etc/passwd"}, "INVALID_INPUT", "timeZone"),
        ({"currency": "XXX"}, "INVALID_INPUT", "currency"),
        ({"milestones": []}, "INVALID_INPUT", "milestones"),
        ({"windows": {"reviewHours": 47}}, "INVALID_INPUT", "windows.reviewHours"),
        ({"windows": {"offerHours": -1}}, "INVALID_INPUT", "windows.offerHours"),
        ({"budget": {"amount": "0.00", "currency": "USD"}}, "INVALID_INPUT", "budget.amount"),
        ({"budget": {"amount": "10.00", "currency": "EUR"}}, "INVALID_INPUT", "budget.currency"),
    ],
)
async def test_a_value_that_no_state_accepts_is_a_user_error_with_its_place(
    people: People, change: dict[str, Any], code: str, field: str
) -> None:
    payload = await people.client.do("proposeContract", proposal(people, "10.00") | change, FIELDS)
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == (code, field)
    assert payload["contract"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": {"amount": "10.001", "currency": "USD"}}, "milestones.0.amount.amount"),
        ({"amount": {"amount": "-1.00", "currency": "USD"}}, "milestones.0.amount.amount"),
        ({"amount": {"amount": "99999999999999.99", "currency": "USD"}}, "milestones.0.amount.amount"),
        ({"amount": {"amount": "10", "currency": "JPY"}}, "milestones.0.amount.currency"),
        ({"title": ""}, "milestones.0.title"),
        ({"purpose": "\u2060"}, "milestones.0.purpose"),
        ({"deliverables": ["x"] * 21}, "milestones.0.deliverables"),
        ({"deliverables": [""]}, "milestones.0.deliverables.0"),
        ({"dueOn": "0001-01-01"}, "milestones.0.dueOn"),
    ],
)
async def test_the_place_of_a_wrong_value_reaches_into_lists(
    people: People, change: dict[str, Any], field: str
) -> None:
    payload = await people.client.do("proposeContract", _with(proposal(people, "10.00"), **change), FIELDS)
    (error,) = payload["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", field)


async def test_more_milestones_than_a_plan_may_have_are_refused(people: People) -> None:
    given = proposal(people, "10.00") | {"milestones": [draft("x", "1.00")] * 201}
    (error,) = (await people.client.do("proposeContract", given, FIELDS))["userErrors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", "milestones")


STRANGE_IDS = [
    "",
    "x",
    "\uffff",
    "ctr_",
    "ctr_" + "z" * 26,
    "mil_" + "0" * 26,
    "acc_" + "0" * 26,
    "💥",
    "' OR 1=1 --",
    "x" * 100_000,
]


@pytest.mark.parametrize("identifier", STRANGE_IDS)
async def test_a_strange_id_finds_nothing_and_is_no_fault(people: People, identifier: str) -> None:
    data = await people.client.ask(
        """query ($id: ID!) { node(id: $id) { id } contract(id: $id) { id } milestone(id: $id) { id }
            nodes(ids: [$id]) { id } milestones(filter: {contractId: $id}) { nodes { id } } }""",
        {"id": identifier},
    )
    assert data == {"node": None, "contract": None, "milestone": None, "nodes": [None], "milestones": {"nodes": []}}


@pytest.mark.parametrize("identifier", STRANGE_IDS)
@pytest.mark.parametrize(
    ("mutation", "given", "argument"),
    [
        ("acceptContract", {"revision": 1}, "contractId"),
        ("requestPayout", {}, "contractId"),
        ("approveMilestone", {}, "milestoneId"),
        ("fundMilestone", {}, "milestoneId"),
        ("submitMilestone", {"message": "x"}, "milestoneId"),
        ("addMember", {"person": "a@b.c", "name": "A", "role": "OWNER"}, "accountId"),
        ("removeMember", {}, "memberId"),
        ("revokeApiKey", {}, "keyId"),
        ("proposeContract", {}, "clientId"),
    ],
)
async def test_a_command_on_a_strange_id_is_a_user_error(
    people: People, mutation: str, given: dict[str, Any], argument: str, identifier: str
) -> None:
    base = proposal(people, "10.00") if mutation == "proposeContract" else {}
    payload = await people.client.do(mutation, base | given | {argument: identifier}, "__typename")
    (error,) = payload["userErrors"]
    assert error["code"] in ("NOT_FOUND", "INVALID_INPUT", "FORBIDDEN")
    assert not any(inside in json.dumps(payload) for inside in INSIDES)


@pytest.mark.parametrize("first", [0, -1, 101, 2_147_483_647])
async def test_a_page_of_no_size_or_too_large_a_one_is_refused(people: People, first: int) -> None:
    for query in (
        "query ($first: Int!) { contracts(first: $first) { nodes { id } } }",
        "query ($first: Int!) { milestones(first: $first) { nodes { id } } }",
        "query ($first: Int!) { accounts(first: $first) { nodes { id } } }",
    ):
        answer = (await people.client.post(query, {"first": first})).json()
        assert "from 1 to 100" in _clear(answer, "BAD_REQUEST")


@pytest.mark.parametrize(
    "cursor",
    ["garbage", "💥", "Y29udHJhY3RzOng", "ZXZlbnRzOjE", "Y29udHJhY3RzOgA", "bWlsZXN0b25lczp4OnkK", "=", "x" * 201, ""],
)
async def test_a_cursor_that_this_list_never_gave_out_is_refused(people: People, cursor: str) -> None:
    for query in (
        "query ($after: Cursor) { milestones(after: $after) { nodes { id } } }",
        "query ($after: Cursor) { accounts(after: $after) { nodes { id } } }",
        "query ($after: Cursor) { viewer { account { timeline(after: $after) { nodes { id } } } } }",
    ):
        answer = (await people.client.post(query, {"after": cursor})).json()
        if "timeline" in query and cursor == "ZXZlbnRzOjE":
            assert "errors" not in answer  # the first event's own place
        else:
            assert "ursor" in _clear(answer, "BAD_REQUEST")


async def test_another_ones_contract_is_not_found_and_ones_own_may_be_forbidden(people: People) -> None:
    deal_id = ids.new(Kind.CONTRACT)
    missing = await people.client.do("acceptContract", {"contractId": deal_id, "revision": 1}, FIELDS)
    assert [error["code"] for error in missing["userErrors"]] == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (r'{ node(id: "\ud800") { id } }', "Invalid Unicode escape"),
        (r'{ node(id: "\u{d800}") { id } }', "Invalid Unicode escape"),
        ("{ __typename } \u202e }", "Syntax Error"),
        ("subscription { contracts { id } }", "on type 'Subscription'"),
        ("{ __typename @unknown }", "Unknown directive"),
        ("{ contracts { nodes { nothing } } }", "Cannot query field"),
        ("{ contract { id } }", "required"),
        ('{ contract(id: "x", other: 1) { id } }', "Unknown argument"),
        ("query ($a: Nothing) { __typename }", "Unknown type"),
        ("{ contracts }", "must have a selection"),
    ],
)
async def test_a_document_that_is_not_valid_says_where(people: People, query: str, says: str) -> None:
    answer = (await people.client.post(query)).json()
    assert "data" not in answer
    assert any(says in error["message"] for error in answer["errors"]), answer
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_REQUEST"}


@pytest.mark.parametrize(
    "query",
    [
        r'{ node(id: "\u0000") { id } }',
        '{ node(id: "\0") { id } }',
        r'{ contracts(filter: {title: "a\u0000b"}) { nodes { id } } }',
        '{ contracts(filter: {title: """a\0b"""}) { nodes { id } } }',
        r'query ($title: String = "\u0000") { contracts(filter: {title: $title}) { nodes { id } } }',
        r'{ byExternalId(system: "\u{0}", id: "x") { __typename } }',
        r'mutation { acceptContract(input: {contractId: "\u0000", revision: 1}) { userErrors { code } } }',
    ],
)
async def test_what_no_text_has_is_refused_where_it_stands_in_a_document(people: People, query: str) -> None:
    answer = (await people.client.post(query)).json()
    assert "data" not in answer
    assert "U+0000" in _clear(answer, "BAD_REQUEST")
    assert answer["errors"][0]["locations"]


@pytest.mark.parametrize("never", ["\0", "a\0b"])
@pytest.mark.parametrize(
    ("query", "variables", "place"),
    [
        ("query ($id: ID!) { contract(id: $id) { id } }", {"id": None}, "id"),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x", None]}, "ids.1"),
        ("query ($f: ContractFilter) { contracts(filter: $f) { nodes { id } } }", {"f": {"title": None}}, "f.title"),
        (
            "query ($f: MilestoneFilter) { milestones(filter: $f) { nodes { id } } }",
            {"f": {"party": None, "contractId": None}},
            "f.party",
        ),
        ("query ($f: DeliveryFilter) { deliveries(filter: $f) { nodes { id } } }", {"f": {"endpointId": None}}, "f.endpointId"),
        (
            "query ($s: String!, $i: String!) { byExternalId(system: $s, id: $i) { __typename } }",
            {"s": "jira", "i": None},
            "i",
        ),
        ("query ($c: Cursor) { contracts(after: $c) { nodes { id } } }", {"c": None}, "c"),
        ("mutation ($input: AcceptContractInput!) { acceptContract(input: $input) { userErrors { code } } }",
         {"input": {"contractId": None, "revision": 1}}, "contractId"),
        (PROPOSE, {"input": {"milestones": [{}, {"title": None}]}}, "milestones.1.title"),
        ("{ __typename }", {"nobody": {"asked": [{"for": None}]}}, "nobody.asked.0.for"),
    ],
)  # fmt: skip
async def test_what_no_text_has_is_refused_in_every_variable_and_names_the_place(
    people: People, query: str, variables: dict[str, Any], place: str, never: str
) -> None:
    given = json.loads(json.dumps(variables).replace("null", json.dumps(never)))
    content = json.dumps({"query": query, "variables": given})
    headers = {"content-type": "application/json", "authorization": f"Bearer {people.client.token}"}
    answer = (await people.client.http.post("/graphql", content=content, headers=headers)).json()
    assert "U+0000" in _clear(answer, "BAD_REQUEST")
    assert answer["errors"][0]["extensions"]["field"] == place


async def test_a_backslash_and_the_name_of_nothing_are_text(people: People) -> None:
    for text in ("\\u0000", "␀", "\\0"):
        query = "query ($t: String) { contracts(filter: {title: $t}) { nodes { id } } }"
        assert await people.client.ask(query, {"t": text}) == {"contracts": {"nodes": []}}


async def test_too_many_ids_at_once_are_refused(people: People) -> None:
    answer = (await people.client.post("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", {"ids": ["x"] * 101})).json()
    assert "At most 100" in _clear(answer, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("amount", "ratios", "says"),
    [
        ({"amount": "10.00", "currency": "USD"}, [], "at least one"),
        ({"amount": "10.00", "currency": "USD"}, [1, 0], "positive"),
        ({"amount": "10.00", "currency": "USD"}, [1] * 201, "At most 200"),
        ({"amount": "10.001", "currency": "USD"}, [1], "decimals"),
        ({"amount": "10.00", "currency": "ABC"}, [1], "ISO 4217"),
    ],
)
async def test_a_budget_that_cannot_be_split_says_why(
    people: People, amount: dict[str, str], ratios: list[int], says: str
) -> None:
    query = "query ($a: MoneyInput!, $r: [Int!]!) { splitBudget(amount: $a, ratios: $r) { amount } }"
    answer = (await people.client.post(query, {"a": amount, "r": ratios})).json()
    assert says in _clear(answer, "BAD_REQUEST")
