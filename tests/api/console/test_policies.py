"""What browsers report of our pages: it is counted by directive, within bounds, and only where it could be true."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from api.console import policies
from api.console.policies import REPORT_BYTES_MAX, REPORTS, REPORTS_MAX, directives
from tests.api.client import door

OWN = {"origin": "http://earnest.test"}


@pytest_asyncio.fixture(loop_scope="session")
async def http(database: str) -> AsyncIterator[httpx.AsyncClient]:
    async with door() as client:
        yield client


def _new(*names: str) -> bytes:
    """Reports as the Reporting API sends them."""
    return json.dumps([{"type": "csp-violation", "body": {"effectiveDirective": one}} for one in names]).encode()


def _old(name: str) -> bytes:
    """A report as `report-uri` sends it."""
    return json.dumps({"csp-report": {"violated-directive": f"{name} 'self'", "blocked-uri": "inline"}}).encode()


async def _counted(http: httpx.AsyncClient) -> dict[str, float]:
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    (family,) = (one for one in families if one.name == "earnest_policy_reports")
    return {sample.labels["directive"]: sample.value for sample in family.samples}


async def test_reports_of_both_forms_are_counted_by_directive(http: httpx.AsyncClient) -> None:
    assert await _counted(http) == {}
    for body in (_new("script-src-elem", "style-src-attr"), _old("script-src-elem"), _new("made-up\n} 1")):
        answer = await http.post(REPORTS, content=body, headers=OWN)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await _counted(http) == {"script-src-elem": 2, "style-src-attr": 1, "other": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"x"',
        b"[[[[]]]]",
        b'[{"body": null}]',
        b'[{"body": "x"}, 7, null]',
        b'{"csp-report": []}',
        b"\xff\xfe",
        b"[" * 15_000,
    ],
)
async def test_what_is_no_report_counts_nothing_and_breaks_nothing(http: httpx.AsyncClient, body: bytes) -> None:
    assert (await http.post(REPORTS, content=body, headers=OWN)).status_code == 204
    assert await _counted(http) == {}


def test_one_request_counts_so_many_reports_at_most() -> None:
    assert directives(_new(*["img-src"] * (REPORTS_MAX * 3))).total() == REPORTS_MAX


def test_there_are_only_so_many_counters_whatever_is_reported() -> None:
    found: set[str] = set()
    for number in range(200):
        found |= set(directives(_new(f"invented-{number}", "img-src")))
    assert found == {policies.OTHER, "img-src"}


async def test_a_report_that_is_too_long_is_not_read(http: httpx.AsyncClient) -> None:
    answer = await http.post(REPORTS, content=b"x" * (REPORT_BYTES_MAX + 1), headers=OWN)
    assert answer.status_code == 413
    fits = _new("img-src").ljust(REPORT_BYTES_MAX)
    assert (await http.post(REPORTS, content=fits, headers=OWN)).status_code == 204
    assert await _counted(http) == {"img-src": 1}


async def test_a_page_of_another_origin_counts_nothing(http: httpx.AsyncClient) -> None:
    answer = await http.post(REPORTS, content=_new("img-src"), headers={"origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    assert await _counted(http) == {}


async def test_it_is_asked_by_post_only(http: httpx.AsyncClient) -> None:
    assert (await http.get(REPORTS)).status_code in (404, 405)
