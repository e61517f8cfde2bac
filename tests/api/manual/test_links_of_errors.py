"""Errors link to the page that explains them: by path, or whole where the deployment knows its address."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schema import error_codes
from tests.api.client import Caller, People, door
from tests.api.manual.pages import Page

REFUSED = """
mutation { approveMilestone(input: {milestoneId: "mil_01kathd3v0f6x8zj9s5m2w7q4r"}) { userErrors { code documentation } } }
"""


@pytest.fixture(autouse=True)
def by_path_again() -> Iterator[None]:
    """What the last application was told holds for the process."""
    yield
    error_codes.use(None)


async def test_a_refusal_leads_to_its_page_compiled_or_not(people: People) -> None:
    address = "/docs/errors/NOT_FOUND"
    for _ in range(3):  # an operation is compiled when it is used again
        (error,) = (await people.client.ask(REFUSED))["approveMilestone"]["userErrors"]
        assert error == {"code": "NOT_FOUND", "documentation": address}
    page = await people.client.http.get(address)
    assert page.status_code == 200
    assert "NOT_FOUND" in Page.of(page.text).text


@pytest.mark.parametrize(
    ("query", "code"),
    [("{ viewer { role } }", "UNAUTHENTICATED"), ("{ nothing }", "BAD_REQUEST"), ("{", "BAD_REQUEST")],
)
async def test_a_failure_leads_to_its_page(query: str, code: str) -> None:
    async with door() as http:
        (error,) = await Caller(http).errors(query)
        assert error["extensions"]["code"] == code
        assert (await http.get(error["extensions"]["documentation"])).status_code == 200


async def test_what_is_no_operation_at_all_is_told_with_its_page_too() -> None:
    async with door() as http:
        answer = await http.post("/graphql", content=b"{}", headers={"content-type": "text/plain"})
    assert answer.status_code == 415
    assert answer.json()["errors"][0]["extensions"] == error_codes.coded("BAD_REQUEST")


async def test_a_deployment_that_knows_its_address_tells_it_whole() -> None:
    async with door(public_url="https://escrow.example.com") as http:
        (error,) = await Caller(http).errors("{ viewer { role } }")
        made_up = await http.post("/graphql", json={"query": "{"}, headers={"host": "evil.example"})
    assert error["extensions"]["documentation"] == "https://escrow.example.com/docs/errors/UNAUTHENTICATED"
    assert "evil" not in made_up.text
