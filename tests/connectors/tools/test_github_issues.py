"""Issues that go while they are written to."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.http_calls import Calls
from connectors.port import ToolRefused
from connectors.sides import Card, Field
from connectors.tools.github_issues import ONE, UPDATE, GitHubIssues

CARD = Card(values={Field.TITLE: "Draft", Field.PURPOSE: "Ten pages"}, mark="mil_1", facts="1 PLANNED", is_done=False)
GONE = {"type": "NOT_FOUND", "message": "Could not resolve to a node"}
IS_THERE: Any = {"data": {"repository": {"issue": {"id": "I_1"}}}}


class Answering(Calls):
    """A GitHub that answers one document after the other."""

    def __init__(self, *answers: Any) -> None:
        super().__init__("http://nowhere", {}, who="GitHub")
        self._answers = list(answers)
        self.asked: list[str] = []

    async def ask(self, method: str, path: str, body: Any = None, *, missing_is_none: bool = False) -> Any:
        self.asked.append(body["query"])
        return self._answers.pop(0)


@pytest.mark.parametrize(
    ("answers", "asked", "said"),
    [
        ([{"data": {"repository": {"issue": None}}, "errors": [GONE]}], [ONE], "GitHub doesn't show 7"),
        ([IS_THERE, {"data": {"updateIssue": None}, "errors": [GONE]}], [ONE, UPDATE], "Could not resolve to a node"),
    ],
    ids=["before it is looked for", "before it is written to"],
)
async def test_an_issue_that_is_deleted_in_the_moment_of_a_write_refuses_it_and_nothing_was_done(
    answers: list[Any], asked: list[str], said: str
) -> None:
    calls = Answering(*answers)
    with pytest.raises(ToolRefused, match=said):
        await GitHubIssues(calls, "o/r", "earnest").write("7", CARD, frozenset({Field.TITLE}))
    assert calls.asked == asked
