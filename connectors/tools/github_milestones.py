"""GitHub milestones: read by GraphQL, written by REST, since GitHub's GraphQL has no mutation for milestones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors import footer
from connectors.http_calls import Calls
from connectors.port import NotDone, ToolError, ToolRefused
from connectors.sides import Card, Field, Theirs, TheirSide, canonical
from connectors.tools import numbers

UNSEEN_SECONDS: Final = 300.0
"""GitHub answers from copies, which mostly lag by seconds."""
API: Final = "https://api.github.com"

ALL: Final = """query Milestones($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    milestones(first: 100, after: $after, orderBy: {field: NUMBER, direction: ASC}) {
      nodes { number title description dueOn closed updatedAt url } pageInfo { hasNextPage endCursor } } } }"""

ONE: Final = """query Milestone($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) {
    milestone(number: $number) { number title description dueOn closed updatedAt url } } }"""

DOCUMENTS: Final = (ALL, ONE)
EVENT: Final = "milestone"
"""The name of the webhook."""


def github(token: str, base: str = API) -> Calls:
    """Calls of GitHub's API with a token that may write to the repository's issues."""
    headers = {"authorization": f"Bearer {token}", "x-github-api-version": "2022-11-28"}
    return Calls(base, headers, who="GitHub")


async def graphql(calls: Calls, document: str, **variables: object) -> dict[str, Any]:
    """The data of a document. Raises `ToolError`."""
    answer = await calls.ask("POST", "/graphql", {"query": document, "variables": variables})
    has_repository = bool((answer.get("data") or {}).get("repository"))
    for error in answer.get("errors") or ():
        if error.get("type") == "NOT_FOUND" and "number" in variables and has_repository:
            continue  # one that is gone: the data has null there
        raise _fault(error)(f"GitHub answered {error.get('type', 'ERROR')}: {error.get('message', '')}")
    return dict(answer["data"])


def _fault(error: Mapping[str, Any]) -> type[ToolError]:
    """What an error of GraphQL comes to; too many requests are told by it under status 200, and nothing was done then."""
    if "rate limit" in str(error.get("message", "")).lower():
        return NotDone
    return ToolRefused if error.get("type") in {"NOT_FOUND", "FORBIDDEN"} else ToolError


def is_number(external_id: str) -> bool:
    """Whether GitHub could call something so: Earnest's names can be anything that somebody wrote."""
    return external_id.isascii() and external_id.isdecimal() and int(external_id[:11]) < 2**31


class GitHubMilestones:
    """The milestones of one repository, `owner/name`."""

    unseen_seconds = UNSEEN_SECONDS

    def __init__(self, calls: Calls, repository: str) -> None:
        self._calls = calls
        self._owner, _, self._name = repository.partition("/")
        self._path = f"/repos/{repository}/milestones"

    async def read(self) -> TheirSide:
        """All, open and closed."""
        items: dict[str, Theirs] = {}
        after = None
        while True:
            data = await graphql(self._calls, ALL, owner=self._owner, name=self._name, after=after)
            page = data["repository"]["milestones"]
            items |= {str(node["number"]): _shown(node) for node in page["nodes"]}
            if not page["pageInfo"]["hasNextPage"]:
                return TheirSide(items=items)
            after = page["pageInfo"]["endCursor"]

    async def look(self, external_id: str) -> Theirs | None:
        """One of them."""
        if not is_number(external_id):
            return None
        data = await graphql(self._calls, ONE, owner=self._owner, name=self._name, number=int(external_id))
        node = data["repository"]["milestone"]
        return _shown(node) if node is not None else None

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        """By its number: milestones are numbered one after the other."""
        unlisted = numbers.unlisted(int(name) for name in listed.items)
        return await numbers.marked(mark, self.look, map(str, unlisted))

    async def create(self, card: Card) -> Theirs:
        """A new one, with all that the card says."""
        return _made(await self._calls.ask("POST", self._path, _body(card, frozenset(Field))))

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """What changed, with the footer."""
        return _made(await self._calls.ask("PATCH", f"{self._path}/{external_id}", _body(card, changed)))

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()


def _body(card: Card, changed: frozenset[Field]) -> dict[str, str]:
    body = {"description": footer.joined(card), "state": "closed" if card.is_done else "open"}
    if Field.TITLE in changed:
        body["title"] = card.values[Field.TITLE]
    if Field.DUE_ON in changed:
        # GitHub keeps the date that it is in California: at this hour that is the same date as in UTC.
        body["due_on"] = f"{card.values[Field.DUE_ON]}T12:00:00Z"
    return body


def _made(node: Mapping[str, Any]) -> Theirs:
    """The answer of REST, which calls things otherwise than GraphQL does."""
    same = {name: node[name] for name in ("number", "title", "description")}
    return _shown(
        {**same, "dueOn": node["due_on"], "closed": node["state"] == "closed", "updatedAt": node["updated_at"],
         "url": node["html_url"]}
    )  # fmt: skip


def _shown(node: Mapping[str, Any]) -> Theirs:
    parts = footer.split(node["description"])
    due_on = (node["dueOn"] or "")[:10]
    return Theirs(
        id=str(node["number"]),
        values={Field.TITLE: canonical(node["title"]), Field.PURPOSE: parts.purpose, Field.DUE_ON: due_on},
        mark=parts.mark,
        facts=parts.facts,
        price=parts.price,
        is_done=node["closed"],
        updated_at=datetime.fromisoformat(node["updatedAt"]),
        url=node["url"],
    )
