"""Jira's pages, which go by offsets: an issue that goes away between two of them makes no other one seem deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.http_calls import Calls
from connectors.port import ListingIncomplete
from connectors.tools.jira import JiraIssues


class Paged(Calls):
    """A Jira that gives two issues a page; before each page one of `goes` is deleted."""

    def __init__(self, *numbers: int, goes: list[int] | None = None) -> None:
        super().__init__("http://nowhere", {}, who="Jira")
        self.numbers = list(numbers)
        self.goes = goes or []
        self.kind = "Task"

    async def ask(self, method: str, path: str, body: object = None, *, missing_is_none: bool = False) -> Any:
        query = parse_qs(urlsplit(path).query)
        if "startAt" not in query:
            return self.issue(int(urlsplit(path).path.rpartition("-")[2]))
        start = int(query["startAt"][0])
        if start and self.goes:
            self.numbers.remove(self.goes.pop(0))
        shown = self.numbers[start : start + 2]
        return {"issues": [self.issue(number) for number in shown], "total": len(self.numbers)}

    def issue(self, number: int) -> dict[str, Any]:
        status = {"statusCategory": {"key": "new"}}
        said = {
            "summary": "A",
            "status": status,
            "updated": "2030-01-01T00:00:00+00:00",
            "issuetype": {"name": self.kind},
        }
        return {"key": f"DEMO-{number}", "fields": said}


def listed(items: Any) -> list[int]:
    return [int(key.rpartition("-")[2]) for key in items]


async def test_all_pages_are_read_each_issue_once() -> None:
    for count in range(6):
        side = await JiraIssues(Paged(*range(count)), "DEMO").read()
        assert listed(side.items) == list(range(count))


async def test_an_issue_that_is_deleted_between_two_pages_hides_no_other() -> None:
    side = await JiraIssues(Paged(1, 2, 3, 4, 5, goes=[1]), "DEMO").read()
    assert listed(side.items) == [2, 3, 4, 5]


async def test_a_list_that_never_stays_the_same_is_no_list() -> None:
    with pytest.raises(ListingIncomplete):
        await JiraIssues(Paged(1, 2, 3, 4, 5, 6, 7, 8, goes=[1, 2, 3]), "DEMO").read()


async def test_an_issue_of_another_type_is_none_of_ours_any_more() -> None:
    calls = Paged(1)
    jira = JiraIssues(calls, "DEMO", "task")
    assert await jira.look("DEMO-1") is not None
    assert await jira.look("OTHER-1") is None
    calls.kind = "Bug"
    assert await jira.look("DEMO-1") is None
