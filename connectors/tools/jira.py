"""Jira issues of one project and type, by REST (version 2, as Data Center has it), asked for by JQL, since it rings nobody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

from connectors import footer
from connectors.http_calls import Calls
from connectors.port import ListingIncomplete, NotDone, ToolError, ToolRefused
from connectors.sides import Card, Field, Theirs, TheirSide, canonical
from connectors.tools import numbers

PAGE: Final = 100
READINGS_MAX: Final = 3
"""So often a listing is begun anew that changed between two of its pages."""
ASKED: Final = "summary,description,duedate,status,updated,issuetype"
DONE: Final = "done"
"""The category of states that are the end of the work, whatever they are called."""


def jira(base: str, token: str) -> Calls:
    """Calls of a Jira's API with a personal access token."""
    return Calls(base, {"authorization": f"Bearer {token}"}, who="Jira")


class JiraIssues:
    """The issues of one type in one project."""

    unseen_seconds = 300.0
    """JQL asks an index, which may lag behind; single issues are as they are."""

    def __init__(self, calls: Calls, project: str, kind: str = "Task", *, base: str = "") -> None:
        self._calls = calls
        self._project = project
        self._kind = kind
        self._base = base.rstrip("/")

    async def read(self) -> TheirSide:
        """All that the query finds. Raises `ListingIncomplete` if it changes all the time."""
        for _ in range(READINGS_MAX):
            if (items := await self._listed()) is not None:
                return TheirSide(items=items)
        raise ListingIncomplete("Jira's list of issues changed each time between two of its pages")

    async def _listed(self) -> dict[str, Theirs] | None:
        """All issues; None if one went away between two pages, so that their offsets moved and others were skipped.

        New ones come last in this order. So each page begins with the last issue of the page before, or something moved.
        """
        items: dict[str, Theirs] = {}
        while True:
            page = await self._page(f' AND issuetype = "{self._kind}" ORDER BY key ASC', max(len(items) - 1, 0))
            keys = [issue["key"] for issue in page["issues"]]
            if items and (keys[:1] != list(items)[-1:] or (len(keys) == 1 and page["total"] > len(items))):
                return None
            items |= {issue["key"]: self._shown(issue) for issue in page["issues"]}
            if not keys or len(items) >= page["total"]:
                return items if len(items) >= page["total"] else None

    async def _page(self, which: str, start: int = 0) -> dict[str, Any]:
        query = urlencode(
            {"jql": f'project = "{self._project}"{which}', "startAt": start, "maxResults": PAGE, "fields": ASKED}
        )
        return dict(await self._calls.ask("GET", f"/rest/api/2/search?{query}"))

    async def look(self, external_id: str) -> Theirs | None:
        """One of them; what was moved to another project or became of another type isn't."""
        path = f"{_path(external_id)}?fields={ASKED}"
        issue = await self._calls.ask("GET", path, missing_is_none=True)
        if issue is None or issue["key"] != external_id or not self._is_of_kind(issue["fields"].get("issuetype")):
            return None
        return self._shown(issue)

    def _is_of_kind(self, kind: Mapping[str, Any] | None) -> bool:
        """The query takes a type by its name, in whatever case, or by its number."""
        return kind is None or self._kind.casefold() in {str(kind.get(name, "")).casefold() for name in ("name", "id")}

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        """By its key, which goes on from the newest of the project, of whatever type that is."""
        newest = (await self._page(" ORDER BY key DESC"))["issues"][:1]
        unlisted = numbers.unlisted(numbers.of(key) for key in [*listed.items, *(issue["key"] for issue in newest)])
        return await numbers.marked(mark, self.look, (f"{self._project}-{number}" for number in unlisted))

    async def create(self, card: Card) -> Theirs:
        """A new one; what is over is closed by the next round."""
        place = {"project": {"key": self._project}, "issuetype": {"name": self._kind}}
        fields = {**place, **_fields(card, frozenset(Field))}
        made = await self._calls.ask("POST", "/rest/api/2/issue", {"fields": fields})
        just = Theirs(id=made["key"], values=card.values, mark=card.mark, facts=card.facts)
        try:
            return await self.look(just.id) or just
        except ToolError:  # whatever became of this question: it is made
            return just

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """What changed, with the footer; done by whatever way the workflow has to an end, which is looked for first."""
        end = await self._end(external_id, card, changed) if card.is_done else None
        await self._calls.ask("PUT", _path(external_id), {"fields": _fields(card, changed)})
        try:
            if end is not None:
                await self._calls.ask("POST", f"{_path(external_id)}/transitions", {"transition": {"id": end}})
            return await self._found(external_id)
        except NotDone as error:  # by what came after it: the issue says other things already
            raise ToolError(str(error)) from error

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()

    async def _end(self, external_id: str, card: Card, changed: frozenset[Field]) -> str | None:
        """The way to an end; None if the issue is there already, or has none and something else to be told meanwhile."""
        now = await self._found(external_id)
        if now.is_done:
            return None
        ways = (await self._calls.ask("GET", f"{_path(external_id)}/transitions"))["transitions"]
        ends: list[str] = [way["id"] for way in ways if way["to"]["statusCategory"]["key"] == DONE]
        if not ends and not changed and (now.mark, now.facts) == (card.mark, card.facts):
            raise ToolRefused(f"Jira's workflow has no way from the state of {external_id} to an end")
        return ends[0] if ends else None

    async def _found(self, external_id: str) -> Theirs:
        found = await self.look(external_id)
        if found is None:
            raise ToolRefused(f"Jira doesn't show {external_id}")
        return found

    def _shown(self, issue: Mapping[str, Any]) -> Theirs:
        fields = issue["fields"]
        parts = footer.split(fields.get("description"))
        title, due_on = canonical(fields["summary"]), fields.get("duedate") or ""
        return Theirs(
            id=issue["key"],
            values={Field.TITLE: title, Field.PURPOSE: parts.purpose, Field.DUE_ON: due_on[:10]},
            mark=parts.mark,
            facts=parts.facts,
            price=parts.price,
            is_done=fields["status"]["statusCategory"]["key"] == DONE,
            updated_at=datetime.fromisoformat(fields["updated"]),
            url=f"{self._base}/browse/{issue['key']}" if self._base else None,
        )


def _path(external_id: str) -> str:
    return f"/rest/api/2/issue/{quote(external_id, safe='')}"


def _fields(card: Card, changed: frozenset[Field]) -> dict[str, str]:
    fields = {"description": footer.joined(card)}
    if Field.TITLE in changed:
        fields["summary"] = card.values[Field.TITLE]
    if Field.DUE_ON in changed:
        fields["duedate"] = card.values[Field.DUE_ON]
    return fields
