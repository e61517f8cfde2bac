"""What GitHub's errors of GraphQL come to, which it tells with status 200."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.http_calls import Calls
from connectors.port import NotDone, ToolError, ToolRefused
from connectors.tools.github_milestones import ALL, GitHubMilestones, graphql


class Failing(Calls):
    """A GitHub that answers every document with one error."""

    def __init__(self, error: dict[str, str], data: Any = None) -> None:
        super().__init__("http://nowhere", {}, who="GitHub")
        self._error = error
        self._data = data

    async def ask(self, method: str, path: str, body: object = None, *, missing_is_none: bool = False) -> Any:
        return {"data": self._data, "errors": [self._error]}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}, NotDone),
        ({"type": "RATE_LIMIT", "message": "API rate limit already exceeded for user ID 1."}, NotDone),
        ({"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}, NotDone),
        ({"message": "Something went wrong while executing your query."}, ToolError),
        ({"type": "FORBIDDEN", "message": "Resource not accessible by personal access token"}, ToolRefused),
        ({"type": "NOT_FOUND", "message": "Could not resolve to a Repository"}, ToolRefused),
    ],
)
async def test_too_many_requests_are_told_from_what_may_have_been_done(
    error: dict[str, str], kind: type[ToolError]
) -> None:
    with pytest.raises(ToolError) as raised:
        await graphql(Failing(error), ALL)
    assert type(raised.value) is kind


async def test_a_milestone_that_is_gone_is_told_from_a_repository_that_is() -> None:
    error = {"type": "NOT_FOUND", "message": "Could not resolve to what was named"}
    assert await GitHubMilestones(Failing(error, {"repository": {"milestone": None}}), "o/r").look("7") is None
    with pytest.raises(ToolRefused, match="NOT_FOUND"):
        await GitHubMilestones(Failing(error, {"repository": None}), "o/r").look("7")
