"""Jira's pages, which go by offsets, and its writes, of which each may be the last that it takes: nothing is made twice by it,
or seems deleted."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors import rounds
from connectors.http_calls import Calls
from connectors.port import ListingIncomplete, NotDone, ToolError, ToolRefused
from connectors.sides import Card, Field, Treaty
from connectors.tools.jira import JiraIssues
from tests.connectors.pretending import Clock, Door, Earnest, Fate, Notebook


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


class Fresh(Calls):
    """A Jira whose search finds nothing yet of what was made; `is_busy` refuses to show single issues, too."""

    def __init__(self) -> None:
        super().__init__("http://nowhere", {}, who="Jira")
        self.issues: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.is_busy = False
        self.is_busy_after = ""
        """What it does, and is busy from then on."""
        self.status = "new"
        self.ways: list[dict[str, Any]] = []

    async def ask(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> Any:
        name = urlsplit(path).path.removeprefix("/rest/api/2/")
        if self.is_busy_after and self.is_busy_after in self.asked:
            raise NotDone("Jira answered 429")
        self.asked.append(f"{method} {name}")
        if name == "search":
            return {"issues": [], "total": 0}
        if name.endswith("/transitions"):
            return {"transitions": self.ways}
        if method == "POST":
            key = f"DEMO-{len(self.issues) + 1}"
            self.issues[key] = {"updated": "2030-01-01T00:00:00+00:00", **body["fields"]}
            return {"key": key}
        key = name.removeprefix("issue/")
        if method == "PUT":
            self.issues[key] |= body["fields"]
            return None
        if self.is_busy:
            raise NotDone("Jira answered 429")
        return {"key": key, "fields": {**self.issues[key], "status": {"statusCategory": {"key": self.status}}}}


async def test_an_issue_that_was_made_and_not_shown_is_not_made_again() -> None:
    calls, earnest = Fresh(), Earnest(Clock())
    door, notes = Door(earnest, "jira", Fate()), Notebook(Fate())
    milestone_id = earnest.put({Field.TITLE: "A", Field.PURPOSE: "B", Field.DUE_ON: "2031-01-01"}, 10)
    calls.is_busy = True
    tally = await rounds.play(door, JiraIssues(calls, "DEMO"), notes, Treaty())
    assert (tally.to_tool, notes.noted[milestone_id].external_id) == (1, "DEMO-1")
    calls.is_busy = False
    tally = await rounds.play(door, JiraIssues(calls, "DEMO"), notes, Treaty())
    assert tally.to_tool == 0
    assert calls.asked.count("POST issue") == 1


async def test_where_no_way_leads_to_an_end_it_is_told_how_it_stands_and_nothing_is_written_again() -> None:
    calls = Fresh()
    jira = JiraIssues(calls, "DEMO")
    values = {Field.TITLE: "A", Field.PURPOSE: "B", Field.DUE_ON: "2031-01-01"}
    await jira.create(Card(values=values, mark="mil_1", facts="5.00 USD, ACTIVE", is_done=False))
    over = Card(values=values, mark="mil_1", facts="5.00 USD, RELEASED", is_done=True)
    now = await jira.write("DEMO-1", over, frozenset())
    assert (now.facts, now.is_done) == ("5.00 USD, RELEASED", False), "how it stands is told all the same"
    with pytest.raises(ToolRefused, match="no way from the state of DEMO-1 to an end"):
        await jira.write("DEMO-1", over, frozenset())
    assert calls.asked.count("PUT issue/DEMO-1") == 1
    calls.ways = [{"id": "31", "to": {"statusCategory": {"key": "done"}}}]
    await jira.write("DEMO-1", over, frozenset())
    assert calls.asked[-3:] == ["PUT issue/DEMO-1", "POST issue/DEMO-1/transitions", "GET issue/DEMO-1"]
    calls.status = "done"
    assert (await jira.write("DEMO-1", over, frozenset())).is_done
    assert calls.asked.count("POST issue/DEMO-1/transitions") == 1


@pytest.mark.parametrize(
    ("after", "is_half_done"), [("GET issue/DEMO-1/transitions", False), ("PUT issue/DEMO-1", True)]
)
async def test_what_was_half_done_when_jira_had_too_many_requests_is_not_called_not_done(
    after: str, is_half_done: bool
) -> None:
    calls = Fresh()
    jira = JiraIssues(calls, "DEMO")
    values = {Field.TITLE: "A", Field.PURPOSE: "B", Field.DUE_ON: "2031-01-01"}
    await jira.create(Card(values=values, mark="mil_1", facts="5.00 USD, ACTIVE", is_done=False))
    calls.ways = [{"id": "31", "to": {"statusCategory": {"key": "done"}}}]
    calls.is_busy_after = after
    over = Card(values={**values, Field.TITLE: "C"}, mark="mil_1", facts="5.00 USD, RELEASED", is_done=True)
    with pytest.raises(ToolError, match="429") as raised:
        await jira.write("DEMO-1", over, frozenset({Field.TITLE}))
    assert isinstance(raised.value, NotDone) is not is_half_done
    assert calls.issues["DEMO-1"]["summary"] == ("C" if is_half_done else "A")
