"""A client of GraphQL over server-sent events that keeps everything that it reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.api.live.serving import Served
from tests.patience import PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a stream."""

    event: str
    data: Any
    id: str | None


@dataclass(slots=True, eq=False)
class EventStream:
    """An open stream."""

    response: httpx.Response
    _lines: AsyncIterator[str]

    async def hear(self) -> Said:
        """The next event; comments are skipped."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._lines:
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    data = json.loads(fields["data"]) if fields["data"] else None
                    return Said(fields["event"], data, fields.get("id"))
        raise EOFError

    async def event(self) -> dict[str, Any]:
        """The next event of the log, which must have no errors."""
        said = await self.hear()
        assert said.event == "next", said
        assert "errors" not in said.data, said
        event: dict[str, Any] = said.data["data"]["events"]
        return event

    async def ended(self) -> None:
        """Nothing may follow."""
        try:
            said = await self.hear()
        except EOFError:
            return
        raise AssertionError(said)


@asynccontextmanager
async def opened(
    served: Served,
    query: str | None,
    variables: dict[str, Any] | None = None,
    *,
    token: str | None = None,
    document_id: str | None = None,
    **headers: str,
) -> AsyncIterator[EventStream]:
    """A stream asked for by `POST`, by the text of a document or the identifier of a registered one."""
    await served.begun()
    headers = {"accept": "text/event-stream"} | headers
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = {"query": query, "documentId": document_id, "variables": variables or {}}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http,
        http.stream("POST", served.url, json=body, headers=headers) as response,
    ):
        yield EventStream(response, aiter(response.aiter_lines()))
