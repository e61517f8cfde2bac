"""What GitHub's errors of GraphQL come to, which it tells with status 200."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.http_calls import Calls
from connectors.port import NotDone, ToolError, ToolRefused
from connectors.tools.github_milestones import ALL, graphql


class Failing(Calls):
    """A GitHub that answers every document with one error."""

    def __init__(self, error: dict[str, str]) -> None:
        super().__init__("http://nowhere", {}, who="GitHub")
        self._error = error

    async def ask(self, method: str, path: str, body: object = None, *, missing_is_none: bool = False) -> Any:
        return {"data": None, "errors": [self._error]}


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
