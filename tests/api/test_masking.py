"""What goes wrong inside stays inside: the client gets a trace id, the log the rest."""

from __future__ import annotations

import pytest

from escrow import pipeline
from escrow.log import UnknownEvent
from escrow.queries import contracts
from schema.engine import told
from schema.error_codes import coded
from tests.api.client import People
from tests.api.test_journey import proposal
from tests.written import written

SECRET = "the password is swordfish"


async def _fail(*_: object, **__: object) -> None:
    raise RuntimeError(SECRET)


def faults() -> float:
    """How many this process has counted."""
    return told.FAULTS.figure().values[0].value


async def test_a_fault_in_a_query_is_masked_and_logged(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "contracts_page", _fail)
    known = faults()
    with written() as log:
        answer = await people.client.post("{ contracts { nodes { id } } viewer { role } }")
    assert (answer.status_code, faults()) == (200, known + 1), "or nobody would see it"
    (error,) = answer.json()["errors"]
    assert error["extensions"] == coded("INTERNAL", traceId=answer.headers["x-trace-id"])
    assert SECRET not in answer.text
    (entry,) = (entry for entry in log.entries if entry["level"] == "error")
    assert SECRET in entry["traceback"]
    assert (entry["path"], entry["trace_id"]) == (["contracts"], answer.headers["x-trace-id"])


async def test_a_fault_in_a_batched_field_reaches_everybody_who_waits_for_it(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    await people.deployment.propose()
    await people.deployment.propose()
    monkeypatch.setattr(contracts, "books", _fail)
    answer = (await people.client.post("{ contracts { nodes { id escrow { held { amount } } } } }")).json()
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"INTERNAL"}
    assert SECRET not in str(answer)


async def test_a_fault_in_a_command_is_masked(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "run", _fail)
    query = "mutation ($input: ProposeContractInput!) { proposeContract(input: $input) { userErrors { code } } }"
    answer = (await people.client.post(query, {"input": proposal(people, "1.00")})).json()
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert SECRET not in str(answer)


async def test_what_a_later_release_wrote_is_no_fault_but_a_matter_of_time(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def later(*_: object, **__: object) -> None:
        raise UnknownEvent(SECRET)

    monkeypatch.setattr(pipeline, "run", later)
    query = "mutation ($input: ProposeContractInput!) { proposeContract(input: $input) { userErrors { code } } }"
    with written() as log:
        answer = (await people.client.post(query, {"input": proposal(people, "1.00")})).json()
    assert [error["extensions"] for error in answer["errors"]] == [coded("UPDATING")]
    assert SECRET not in str(answer)
    assert [entry["level"] for entry in log.entries if "a later release" in entry["event"]] == ["warning"]


async def test_a_fault_outside_of_graphql_is_500_and_masked(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escrow.accounts.authentication.find", _fail)
    answer = await people.client.post("{ viewer { role } }")
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["extensions"] == coded("INTERNAL", traceId=answer.headers["x-trace-id"])
    assert SECRET not in answer.text
