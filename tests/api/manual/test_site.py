"""The manual as a browser gets it: pages, search, headers, paths that lead nowhere, and what it costs whom."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import pytest_asyncio
from graphql import GraphQLSchema
from starlette.applications import Starlette
from starlette.routing import Route

from api.live.door import Door
from api.manual import site
from api.manual.frame import HEADERS
from api.manual.library import Library, collect
from api.manual.site import Manual
from api.rates.budgets import Rates
from schema.build import executable
from schema.engine import costs
from schema.engine.execution import Runner
from schema.engine.limits import COST_MAX
from tests.api.client import door
from tests.api.manual.pages import Page, obeyed

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with door() as client:
        yield client


@pytest.fixture(scope="module")
def alone() -> Starlette:
    """The manual and nothing around it."""
    return _app(collect)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/docs", "Two commands"),
        ("/docs/", "Two commands"),
        ("/docs/law", "The law"),
        ("/docs/lifecycle", "the review window passed"),
        ("/docs/events/milestone", "milestone.released"),
        ("/docs/errors/INVALID_STATE", "What to do"),
        ("/docs/schema/Contract", "nextDeadline"),
        ("/docs/decisions/0149-the-manual-is-html-and-nothing-else", "Chosen"),
        ("/docs?q=escrow", "Found for"),
        ("/about", "This address is an API"),
    ],
)
async def test_a_page_is_html_with_landmarks_and_nothing_that_runs(
    http: httpx.AsyncClient, address: str, words: str
) -> None:
    answer = await http.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    page = Page.of(answer.text)
    assert words in page.text
    assert (page.faults, obeyed(page)) == ([], [])
    assert len(set(page.ids)) == len(page.ids)
    assert page.all("html") == [{"lang": "en"}]
    assert {"header", "main"} <= {tag for tag, _ in page.elements}
    assert page.links[0] == "#main"
    assert "main" in page.ids
    assert len(page.all("h1")) == 1
    assert {"for": "q"} in page.all("label")
    (viewport,) = (one for one in page.all("meta") if one.get("name") == "viewport")
    assert viewport["content"] == "width=device-width, initial-scale=1"


async def test_the_policy_allows_nothing_but_our_own_style_and_pictures(http: httpx.AsyncClient) -> None:
    policy = (await http.get("/docs")).headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'; style-src 'self';")
    style = await http.get("/docs/style.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in style.text
    assert "@import" not in style.text
    assert "prefers-color-scheme: dark" in style.text


async def test_navigation_tells_where_one_is(http: httpx.AsyncClient) -> None:
    page = Page.of((await http.get("/docs/law")).text)
    assert [one["href"] for one in page.all("a") if one.get("aria-current") == "page"] == ["/docs/law"]


@pytest.mark.parametrize("address", ["/docs/law", "/docs/style.css", "/docs?q=escrow"])
async def test_what_a_browser_has_is_not_sent_again(http: httpx.AsyncClient, address: str) -> None:
    first = await http.get(address)
    assert first.headers["cache-control"] == "public, max-age=300"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await http.get(address, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["content-security-policy"] == HEADERS["content-security-policy"]
    other = await http.get(address, headers={"if-none-match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)


PATHS = [
    "/docs/../pyproject.toml",
    "/docs/..%2f..%2fetc%2fpasswd",
    "/docs/%2e%2e/%2e%2e/etc/passwd",
    "/docs/..%5c..%5cpyproject.toml",
    "/docs/%252e%252e/pyproject.toml",
    "/docs//etc/passwd",
    "/docs/%2fetc%2fpasswd",
    "/docs/law%00.md",
    "/docs/law%00",
    "/docs/%00",
    "/docs/\uff0e\uff0e/\uff0e\uff0e/etc/passwd",
    "/docs/%c0%ae%c0%ae/pyproject.toml",
    "/docs/%ff",
    "/docs/law/../../../pyproject.toml",
    "/docs/../README",
    "/docs/style.css/../../site.py",
    "/docs/site.py",
    "/docs/LAW",
    "/docs/law.markdown",
    "/docs/docs/law",
    "/docs/.git/config",
    "/docs/.earnest/demo-keys.json",
    "/docs/" + "a/" * 2_000,
    "/docs/" + "x" * 10_000,
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
async def test_no_path_leads_out_of_the_manual(alone: Starlette, path: str) -> None:
    """As a server hands it over that resolves nothing: percent-decoded, dots and all."""
    answer = await _raw(alone, path)
    assert answer["status"] == 404
    assert b"[project]" not in answer["body"]
    assert b"root:" not in answer["body"]
    assert path.encode() not in answer["body"], "what the request said isn't said again"


async def _raw(app: Any, path: str) -> dict[str, Any]:
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": unquote(path),
        "raw_path": path.encode(), "query_string": b"", "headers": [(b"host", b"earnest.test")],
        "client": ("192.0.2.7", 1), "server": ("earnest.test", 80), "scheme": "http",
    }  # fmt: skip
    said: dict[str, Any] = {"body": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        said["status"] = message.get("status", said.get("status"))
        said["body"] += message.get("body", b"")

    await app(scope, receive, send)
    return said


def _app(collect_: Any, rates: Rates | None = None) -> Starlette:
    """The manual alone, with a library of the test's choice."""
    keeper = Door(runner=Runner(executable()))
    keeper.rates = rates or Rates(None)
    manual = Manual(keeper, executable, collect=collect_)
    return Starlette(routes=[Route("/docs", manual.docs), Route("/docs/{rest:path}", manual.docs)])


def _client(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://earnest.test")


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/docs/law.md", "/docs/law"),
        ("/docs/README.md", "/docs"),
        ("/docs/events/README.md", "/docs/events"),
        ("/docs/ARCHITECTURE.md", "/docs/architecture"),
    ],
)
async def test_the_name_of_a_file_leads_to_its_page(http: httpx.AsyncClient, path: str, to: str) -> None:
    answer = await http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (308, to)


async def test_another_method_is_refused(http: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await http.request(method, "/docs/law")).status_code == 405
    head = await http.head("/docs/law")
    assert (head.status_code, head.headers["etag"]) == (200, (await http.get("/docs/law")).headers["etag"])


async def test_a_search_says_what_was_asked_as_text_and_keeps_it_in_the_field(http: httpx.AsyncClient) -> None:
    asked = '"><script>alert(1)</script> escrow'
    for question in (asked, f"{asked} milestone", "zzzzzz <img src=x onerror=alert(1)>"):
        answer = await http.get("/docs", params={"q": question})
        page = Page.of(answer.text)
        assert (page.faults, obeyed(page)) == ([], [])
        (given,) = (one["value"] for one in page.all("input"))
        assert given == question
    nothing = await http.get("/docs", params={"q": "xyzzy nothing"})
    assert "Nothing has all of these words" in nothing.text


async def test_a_search_leads_to_sections(http: httpx.AsyncClient) -> None:
    page = Page.of((await http.get("/docs", params={"q": "out_of_sequence"})).text)
    assert "/docs/errors/OUT_OF_SEQUENCE" in page.links


async def test_a_page_is_rendered_once_however_many_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []
    render = site._page

    def counted(article: Any, books: Library) -> bytes:
        assert threading.current_thread() is not threading.main_thread(), "the loop would be held up"
        rendered.append(article.address)
        return render(article, books)

    read: list[int] = []

    def collected(schema: GraphQLSchema) -> Library:
        assert threading.current_thread() is not threading.main_thread()
        read.append(1)
        return collect(schema)

    monkeypatch.setattr(site, "_page", counted)
    async with _client(_app(collected)) as client:
        answers = await asyncio.gather(*(client.get("/docs/law") for _ in range(20)))
        assert {one.status_code for one in answers} == {200}
        assert len({one.text for one in answers}) == 1
        await client.get("/docs/law")
    assert rendered == ["/docs/law"]
    assert read == [1]


async def test_an_address_pays_for_pages_and_is_told_when_it_has_nothing_left() -> None:
    rates = Rates(0.001)  # restores next to nothing while the test lasts
    budget = rates.budget(None, "127.0.0.1")
    assert budget is not None
    async with _client(_app(collect, rates)) as client:
        before = await client.get("/docs/law")
        assert budget.lacks(COST_MAX - costs.OPERATION)
        budget.charge(COST_MAX)
        refused = await client.get("/docs/law")
        searched = await client.get("/docs?q=escrow")
        style = await client.get("/docs/style.css")
    assert before.status_code == 200
    for answer in (refused, searched, style):
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]


async def test_without_documents_the_first_page_says_so_and_errors_have_theirs(tmp_path: Path) -> None:
    async with _client(_app(lambda schema: collect(schema, tmp_path))) as client:
        start = await client.get("/docs")
        error = await client.get("/docs/errors/FORBIDDEN")
        law = await client.get("/docs/law")
    assert start.status_code == error.status_code == 200
    assert "this installation has only the packages" in start.text
    assert law.status_code == 404
    links = Page.of(start.text).links
    assert "/docs/law" not in links
    assert {"/docs/schema", "/docs/events", "/docs/errors"} <= set(links)


# -- a browser at /graphql ------------------------------------------------------------------------------------------


async def test_a_browser_at_the_address_of_the_api_gets_operations_to_begin_with(http: httpx.AsyncClient) -> None:
    answer = await http.get("/graphql", headers={"accept": BROWSER})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Origin"
    page = Page.of(answer.text)
    assert (page.faults, obeyed(page)) == ([], [])
    assert "approveMilestone(input: {milestoneId: $id})" in page.text
    again = await http.get("/graphql", headers={"accept": BROWSER, "if-none-match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("accept", "query"),
    [
        ("application/json", ""),
        ("*/*", ""),
        ("application/json, text/html", ""),
        ("text/html;q=0.5, application/json", ""),
        ("application/graphql-response+json, text/html;q=0.9", ""),
        ("text/*", ""),
        ("text/html;q=0, */*", ""),
        (BROWSER, "query={__typename}"),
        (BROWSER, "query="),
    ],
)
async def test_a_program_gets_json_and_so_does_a_browser_with_a_query(
    http: httpx.AsyncClient, accept: str, query: str
) -> None:
    answer = await http.get(f"/graphql?{query}" if query else "/graphql", headers={"accept": accept})
    assert "text/html" not in answer.headers["content-type"]


async def test_a_post_is_never_answered_with_a_page(http: httpx.AsyncClient) -> None:
    answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"accept": BROWSER})
    assert answer.json() == {"data": {"__typename": "Query"}}
