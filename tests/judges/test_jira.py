"""A stateful Jira of strangers, which rings nobody: it is asked by JQL."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.connectors.coupled import Couple
from tests.earnest.running import free_port
from tests.judges import story
from tests.judges.story import Seen

PROJECT, KIND = "DEMO", "Improvement"


class Jira:
    """Somebody who uses its REST."""

    has_dates = True

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def items(self) -> list[Seen]:
        query: dict[str, str | int] = {"jql": f'project = "{PROJECT}" AND issuetype = "{KIND}"', "maxResults": 1000}
        found = (await self._http.get("/rest/api/2/search", params=query)).raise_for_status().json()["issues"]
        return [
            Seen(
                issue["key"],
                issue["fields"]["summary"],
                issue["fields"].get("description") or "",
                issue["fields"].get("duedate") or "",
                issue["fields"]["status"]["statusCategory"]["key"] == "done",
            )
            for issue in found
        ]

    async def edit(self, external_id: str, *, title: str, text: str, due_on: str) -> None:
        fields = {"summary": title, "description": text, "duedate": due_on}
        (await self._http.put(f"/rest/api/2/issue/{external_id}", json={"fields": fields})).raise_for_status()

    async def add(self, *, title: str, text: str, due_on: str) -> None:
        fields = {"summary": title, "description": text, "duedate": due_on}
        place = {"project": {"key": PROJECT}, "issuetype": {"name": KIND}}
        (await self._http.post("/rest/api/2/issue", json={"fields": {**place, **fields}})).raise_for_status()

    async def delete(self, external_id: str) -> None:
        (await self._http.delete(f"/rest/api/2/issue/{external_id}")).raise_for_status()


async def test_a_plan_and_a_jira_stay_the_same_beside_issues_that_have_nothing_to_do_with_it(
    couple: Couple, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = {"JIRA820_PORT": str(port), "JIRA820_HOST": "127.0.0.1", "JIRA820_PROJECT_KEY": PROJECT}
    async with story.started("-m", "jira820", url=url, cwd=tmp_path, **settings) as http:
        place = {"url": url, "project": PROJECT, "type": KIND}
        await story.play(couple, Jira(http), "jira", place, token="any")
