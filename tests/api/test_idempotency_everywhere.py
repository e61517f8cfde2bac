"""`@idempotent` on every mutation of the schema, at once from many connections, and across the death of a server."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from escrow import database, ids
from escrow.ids import Kind
from schema.build import executable
from tests.api.asked import CASES, FOR_ANYBODY, changed
from tests.api.client import Caller, People, door
from tests.api.live.serving import serve
from tests.api.test_journey import proposal
from tests.earnest.running import clean_environment, free_port
from tests.workers.forking import Forked
from tests.workers.process import until

AT_ONCE: Final = 20


def test_every_mutation_of_the_schema_is_tried() -> None:
    mutations = executable().mutation_type
    assert mutations is not None
    assert set(mutations.fields) == set(CASES)


async def everything() -> list[Any]:
    """What the log, the keys and the notes hold: whatever a second run would add to."""
    tables = ("events", "transfers", "payment_orders", "idempotency_keys", "external_references", "api_keys",
              "sessions", "deliveries", "replays")  # fmt: skip
    counts: list[Any] = [await count(table) for table in tables]
    counts.append(await database.fetch_value("SELECT array_agg(token_sha256 ORDER BY owner_id) FROM calendar_tokens"))
    counts.append(await database.fetch_value("SELECT clock_offset FROM deployment"))
    return counts


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("mutation", [name for name in CASES if name not in FOR_ANYBODY])
async def test_a_repetition_does_nothing_says_so_and_answers_the_same_and_another_input_is_refused(
    mutation: str,
) -> None:
    async with door(sandbox=True) as http:
        people = await People.meet(http)
        caller, given = await CASES[mutation](people)
        input_type = mutation[0].upper() + mutation[1:] + "Input"
        query = f"""mutation ($input: {input_type}!, $key: String!) {{
            it: {mutation}(input: $input) @idempotent(key: $key) {{ __typename userErrors {{ code message }} }} }}"""

        async def ask(key: str, **differently: Any) -> dict[str, Any]:
            answer = (await caller.post(query, {"input": given | differently, "key": key})).json()
            assert "errors" not in answer, answer
            return dict(answer)

        first = await ask("k")
        assert first["data"]["it"]["userErrors"] == [], first
        assert "extensions" not in first
        before = await everything()
        again = await ask("k")
        assert again["data"] == first["data"]
        assert again["extensions"] == {"idempotentReplay": [["it"]]}
        assert await everything() == before
        other = await ask("k", **await changed(mutation, given))
        assert [error["code"] for error in other["data"]["it"]["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
        assert await everything() == before


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("mutation", sorted(FOR_ANYBODY))
async def test_what_needs_no_credentials_takes_no_key_with_or_without_them(mutation: str) -> None:
    async with door(sandbox=True) as http:
        people = await People.meet(http)
        _, given = await CASES[mutation](people)
        for caller in (people.nobody, people.client):
            refused = await caller.do(mutation, given, "__typename", key="k")
            assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
                ("INVALID_INPUT", "idempotencyKey")
            ]
        assert (await people.nobody.do(mutation, given, "__typename"))["userErrors"] == []


async def test_the_same_key_at_once_from_twenty_connections_runs_once_and_all_get_the_same_answer(
    database: str, redis_url: str
) -> None:
    fields = "contract { id version planVersion milestones { id state } } deposit { id } milestone { id }"
    async with serve(redis_url) as served:
        people = served.people
        deal = await people.deployment.activate("10.00", "20.00")
        cases = {
            "fundMilestone": ({"milestoneId": deal.milestone()}, fields),
            "proposeContract": (proposal(people, "10.00"), "contract { id version milestones { id } }"),
            "createApiKey": (
                {"accountId": people.client.account_id, "name": "Sync", "scopes": ["CONTRACTS_READ"]}, "apiKey { id }",
            ),
            "createCalendarToken": ({}, "__typename"),
            "setExternalReference": (
                {"subjectId": deal.id, "system": "jira", "externalId": "EA-1"}, "externalReference { externalId }",
            ),
        }  # fmt: skip
        for mutation, (given, selection) in cases.items():
            answers = await asyncio.gather(
                *(_apart(served.url, people.client, mutation, given, selection) for _ in range(AT_ONCE))
            )
            assert len({repr(answer) for answer in answers}) == 1, mutation
            assert answers[0]["userErrors"] == []
        counts = [await count("deposits"), await count("contracts"), await count("calendar_tokens")]
        assert counts == [1, 2, 1]
        assert await count("api_keys WHERE name = 'Sync'") == 1


async def count(of: str) -> int:
    """How many rows there are."""
    found: int = await database.fetch_value(f"SELECT count(*) FROM {of}")
    return found


async def _apart(url: str, who: Caller, mutation: str, given: dict[str, Any], fields: str) -> dict[str, Any]:
    """Asked over a connection of its own."""
    async with httpx.AsyncClient(base_url=url.removesuffix("/graphql"), timeout=60) as http:
        return await Caller(http, who.token, who.account_id).do(mutation, given, fields, key=f"once {mutation}")


@pytest.mark.usefixtures("redis_url")
async def test_what_was_committed_before_the_server_died_is_answered_by_the_next(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    async with door() as http:
        people = await People.meet(http)
        given = proposal(people, "10.00")
        port = free_port()
        environ = clean_environment() | {
            "DATABASE_URL": database,
            "REDIS_URL": redis_url,
            "EARNEST_SANDBOX": "on",
            "EARNEST_PAYMENT_PROVIDER": "sandbox",
            "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        }
        process = Forked("tests.api.dying", str(port), environ=environ, log=tmp_path / "log")
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=180) as there:

                async def listens() -> bool:
                    try:
                        return (await there.get("/healthz")).status_code == 200
                    except httpx.TransportError:
                        return False

                await until(listens, otherwise=lambda: (tmp_path / "log").read_text())
                with pytest.raises(httpx.TransportError):
                    await Caller(there, people.client.token).do("proposeContract", given, "contract { id }", key="k")
            assert await process.wait() == 9
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert await count("contracts") == 1
        query = """mutation ($input: ProposeContractInput!) {
            proposeContract(input: $input) @idempotent(key: "k") { contract { id } userErrors { code } } }"""
        answer = (await people.client.post(query, {"input": given})).json()
        assert answer["extensions"] == {"idempotentReplay": [["proposeContract"]]}
        made = answer["data"]["proposeContract"]["contract"]["id"]
        assert await count(f"contracts WHERE id = '{made}'") == await count("contracts") == 1


async def test_a_refused_command_is_carried_out_under_its_key_once_the_cause_is_mended(people: People) -> None:
    deal = await people.deployment.propose("10.00")
    work = {"milestoneId": deal.milestone(), "message": "Here"}
    for _ in range(2):
        (error,) = (await people.freelancer.do("submitMilestone", work, "submission { id }", key="k"))["userErrors"]
        assert error["code"] == "INVALID_STATE"
    assert await count("idempotency_keys") == 0
    await deal.accept()
    await deal.confirm(await deal.fund())
    first = await people.freelancer.done("submitMilestone", work, "submission { id }", key="k")
    assert await people.freelancer.done("submitMilestone", work, "submission { id }", key="k") == first
    assert await count("submissions") == 1
    name = {"subjectId": deal.id, "system": "jira", "externalId": "EA-1"}
    await people.client.done("setExternalReference", name | {"subjectId": deal.milestone()}, "__typename")
    (error,) = (await people.client.do("setExternalReference", name, "__typename", key="n"))["userErrors"]
    assert error["code"] == "INVALID_STATE"
    await people.client.done("removeExternalReference", {"subjectId": deal.milestone(), "system": "jira"}, "__typename")
    await people.client.done("setExternalReference", name, "__typename", key="n")


async def test_several_mutations_in_one_document_have_each_their_key(people: People) -> None:
    query = """mutation ($one: ProposeContractInput!, $two: ProposeContractInput!) {
        a: proposeContract(input: $one) @idempotent(key: "a") { contract { id } userErrors { code } }
        b: proposeContract(input: $two) @idempotent(key: "b") { contract { id } userErrors { code } }
        c: proposeContract(input: $one) @idempotent(key: "a") { contract { id } userErrors { code } }
        d: proposeContract(input: $two) @idempotent(key: "a") { contract { id } userErrors { code } } }"""
    variables = {"one": proposal(people, "10.00"), "two": proposal(people, "20.00")}
    first = (await people.client.post(query, variables)).json()
    assert first["extensions"] == {"idempotentReplay": [["c"]]}
    assert first["data"]["a"] == first["data"]["c"] != first["data"]["b"]
    assert [error["code"] for error in first["data"]["d"]["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    second = (await people.client.post(query, variables)).json()
    assert second["data"] == first["data"]
    assert second["extensions"] == {"idempotentReplay": [["a"], ["b"], ["c"]]}
    assert await count("contracts") == 2
    assert ids.is_a(Kind.CONTRACT, first["data"]["a"]["contract"]["id"])
