"""GitHub issues with one label: read and written by GraphQL. They have no due date, so that is Earnest's alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors import footer
from connectors.http_calls import Calls
from connectors.port import ToolRefused
from connectors.sides import Card, Field, Theirs, TheirSide, canonical
from connectors.tools.github_milestones import UNSEEN_SECONDS, graphql, is_number

ISSUE: Final = "number title body closed updatedAt url"

ALL: Final = f"""query Issues($owner: String!, $name: String!, $label: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    issues(first: 100, after: $after, labels: [$label], orderBy: {{field: CREATED_AT, direction: ASC}}) {{
      nodes {{ {ISSUE} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"""

NEWEST: Final = f"""query Newest($owner: String!, $name: String!) {{
  repository(owner: $owner, name: $name) {{
    issues(first: 100, orderBy: {{field: CREATED_AT, direction: DESC}}) {{ nodes {{ {ISSUE} }} }} }} }}"""

ONE: Final = f"""query Issue($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{ issue(number: $number) {{
    id {ISSUE} labels(first: 100) {{ nodes {{ name }} }} }} }} }}"""

PLACE: Final = """query Place($owner: String!, $name: String!, $label: String!) {
  repository(owner: $owner, name: $name) { id label(name: $label) { id } } }"""

CREATE: Final = (
    f"mutation Create($input: CreateIssueInput!) {{ createIssue(input: $input) {{ issue {{ id {ISSUE} }} }} }}"
)
UPDATE: Final = (
    f"mutation Update($input: UpdateIssueInput!) {{ updateIssue(input: $input) {{ issue {{ id {ISSUE} }} }} }}"
)
DOCUMENTS: Final = (ALL, NEWEST, ONE, PLACE, CREATE, UPDATE)
EVENT: Final = "issues"
"""The name of the webhook."""

FIELDS: Final = frozenset({Field.TITLE, Field.PURPOSE})


class GitHubIssues:
    """The issues of one repository, `owner/name`, that have a label."""

    unseen_seconds = UNSEEN_SECONDS

    def __init__(self, calls: Calls, repository: str, label: str) -> None:
        self._calls = calls
        self._owner, _, self._name = repository.partition("/")
        self._label = label

    async def read(self) -> TheirSide:
        """All of them, open and closed."""
        items: dict[str, Theirs] = {}
        after = None
        while True:
            page = (await self._repository(ALL, label=self._label, after=after))["issues"]
            items |= {str(node["number"]): _shown(node) for node in page["nodes"]}
            if not page["pageInfo"]["hasNextPage"]:
                return TheirSide(items=items, fields=FIELDS)
            after = page["pageInfo"]["endCursor"]

    async def look(self, external_id: str) -> Theirs | None:
        """One of them; without the label it isn't."""
        if not is_number(external_id):
            return None
        node = (await self._repository(ONE, number=int(external_id)))["issue"]
        return _shown(node) if node is not None and self._label.casefold() in _labels(node) else None

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        """Among the newest issues, whether they are found by their label yet or not."""
        newest = (await self._repository(NEWEST))["issues"]["nodes"]
        return next((item for item in map(_shown, newest) if item.mark == mark), None)

    async def create(self, card: Card) -> Theirs:
        """A new one with the label; what is over is closed by the next round."""
        place = await self._repository(PLACE, label=self._label)
        if place["label"] is None:
            raise ToolRefused(f"GitHub has no label “{self._label}” in {self._owner}/{self._name}")
        given = {"repositoryId": place["id"], "labelIds": [place["label"]["id"]], "title": card.values[Field.TITLE]}
        data = await graphql(self._calls, CREATE, input={**given, "body": footer.joined(card)})
        return _shown(data["createIssue"]["issue"])

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """What changed, with the footer."""
        issue = (await self._repository(ONE, number=int(external_id)))["issue"]
        if issue is None:
            raise ToolRefused(f"GitHub doesn't show {external_id}")
        given = {"id": issue["id"], "body": footer.joined(card), "state": "CLOSED" if card.is_done else "OPEN"}
        if Field.TITLE in changed:
            given["title"] = card.values[Field.TITLE]
        data = await graphql(self._calls, UPDATE, input=given)
        return _shown(data["updateIssue"]["issue"])

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()

    async def _repository(self, document: str, **variables: object) -> dict[str, Any]:
        data = await graphql(self._calls, document, owner=self._owner, name=self._name, **variables)
        return dict(data["repository"])


def _labels(node: Mapping[str, Any]) -> set[str]:
    return {label["name"].casefold() for label in (node["labels"] or {"nodes": []})["nodes"]}


def _shown(node: Mapping[str, Any]) -> Theirs:
    parts = footer.split(node["body"])
    return Theirs(
        id=str(node["number"]),
        values={Field.TITLE: canonical(node["title"]), Field.PURPOSE: parts.purpose},
        mark=parts.mark,
        facts=parts.facts,
        price=parts.price,
        is_done=node["closed"],
        updated_at=datetime.fromisoformat(node["updatedAt"]),
        url=node["url"],
    )
