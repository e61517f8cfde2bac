"""Follows the events of one contract as a partner would: by cursor, in order, checking each one before believing it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import rfc8785

from earnest.api_client import Api, ApiError

POLL_SECONDS: Final = 0.1

PATIENCE_SECONDS: Final = 90.0
"""Longer than the lease of a worker that was killed, with a look-up or two."""

_TOLD: Final = frozenset({"message", "note", "explanation", "reason", "text"})
"""The words of an event that are shown: what somebody says to somebody."""

Event = dict[str, Any]
Arrived = Callable[[Event], Awaitable[None]]

_PAGE: Final = """
    query Timeline($id: ID!, $after: Cursor) {
      contract(id: $id) {
        timeline(first: 100, after: $after) {
          edges { node { id type sequence occurredAt hash previousHash body data actor { kind accountId }
                         texts { field value salt } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
"""


class Tampered(ApiError):
    """An event is missing, out of order, or not what its hash says."""


class Timeline:
    """The events of one contract; each is checked and shown once, when whoever else waits for it (`arrived`) has it, too."""

    def __init__(
        self, api: Api, contract_id: str, show: Callable[[Event], None], *, arrived: Arrived | None = None
    ) -> None:
        self._api = api
        self._contract_id = contract_id
        self._show = show
        self._arrived = arrived
        self._cursor: str | None = None
        self._seen: list[Event] = []
        self._waited_to = 0

    async def catch_up(self) -> None:
        """Read, check and show what is new."""
        more = True
        while more:
            data = await self._api.ask(_PAGE, id=self._contract_id, after=self._cursor)
            page = data["contract"]["timeline"]
            for edge in page["edges"]:
                event = edge["node"]
                check(event, after=self._seen[-1] if self._seen else None)
                if self._arrived is not None:
                    await self._arrived(event)
                self._seen.append(event)
                self._show(event)
            self._cursor = page["pageInfo"]["endCursor"] or self._cursor
            more = page["pageInfo"]["hasNextPage"]

    async def comes(self, type_: str, *, seconds: float) -> bool:
        """Whether an event of the type has come that `until` would give next, or comes within the time."""
        deadline = time.monotonic() + seconds
        while True:
            await self.catch_up()
            if any(event["type"] == type_ for event in self._seen[self._waited_to :]):
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)

    async def until(self, type_: str, milestone_id: str | None = None, *, instead: str | None = None) -> Event:
        """The next event of the type, or of the one that may come `instead`, after the one that was waited for last; refuses
        after `PATIENCE_SECONDS`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            await self.catch_up()
            for place, event in enumerate(self._seen[self._waited_to :], start=self._waited_to):
                if event["type"] in (type_, instead) and milestone_id in (None, event["data"].get("milestoneId")):
                    self._waited_to = place + 1
                    return event
            if time.monotonic() > deadline:
                raise ApiError(f"no {type_} came within {PATIENCE_SECONDS:.0f} seconds: does a worker run?")
            await asyncio.sleep(POLL_SECONDS)


def check(event: Event, *, after: Event | None) -> None:
    """Refuses with `Tampered` an event that does not follow the one before it or does not match its hashes."""
    name = f"event {event['sequence']} ({event['type']})"
    expected = (1, None) if after is None else (after["sequence"] + 1, after["hash"])
    if (event["sequence"], event["previousHash"]) != expected:
        raise Tampered(f"{name} does not follow the event before it")
    if hashlib.sha256(event["body"].encode()).hexdigest() != event["hash"]:
        raise Tampered(f"{name} does not match its hash")
    for text in event["texts"]:
        if text["salt"] is not None:
            said = base64.b64decode(text["salt"]) + rfc8785.dumps(text["value"])
            if hashlib.sha256(said).hexdigest() != event["data"]["texts"][text["field"]]:
                raise Tampered(f"the words of {name} do not match their hash")


def day(event: Event) -> str:
    """The day on which it happened, in UTC, such as `2026-11-29`."""
    return str(event["occurredAt"][:10])


def line(event: Event, names: dict[str, str]) -> str:
    """An event on one line: its number, when it happened, what, who, and what it says. `names` tell what ids mean."""
    who = names.get(event["actor"]["accountId"] or "", event["actor"]["kind"].lower())
    words = [_short(text["value"]) for text in event["texts"] if text["field"] in _TOLD and text["value"]]
    said = "  ".join([*_plain(event["data"], names), *(f"“{text}”" for text in words)])
    return f"{event['sequence']:>4}  {event['occurredAt'][11:23]}  {event['type']:<28} {who:<11} {said}".rstrip()


def _plain(data: dict[str, Any], names: dict[str, str]) -> list[str]:
    """What ids name, amounts and reasons. Everything else stays in the event itself."""
    said = [names[value] for key, value in data.items() if key == "milestoneId" and value in names]
    for key, value in data.items():
        if isinstance(value, dict) and set(value) == {"amount", "currency"} and value["amount"].strip("0."):
            said.append(f"{key} {value['amount']} {value['currency']}")
        elif key == "reason":
            said.append(str(value))
    return said


def _short(text: object, characters_max: int = 70) -> str:
    whole = str(text)
    return whole if len(whole) <= characters_max else f"{whole[: characters_max - 1]}…"
