"""Trac milestones, by the small plugin that lies beside this module. A milestone's name is its identity there, and may change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from connectors import footer
from connectors.http_calls import Calls
from connectors.sides import Card, Field, Theirs, TheirSide, canonical


def trac(base: str, token: str) -> Calls:
    """Calls of the plugin, with the token of its section in `trac.ini`."""
    return Calls(base, {"authorization": f"Bearer {token}"}, who="Trac")


class TracMilestones:
    """The milestones of one environment, at its address."""

    unseen_seconds = 0.0
    """It answers from the database that it writes to."""

    def __init__(self, calls: Calls, *, base: str = "") -> None:
        self._calls = calls
        self._base = base.rstrip("/")

    async def read(self) -> TheirSide:
        """All, open and completed."""
        found = await self._calls.ask("GET", "/earnest/milestones")
        return TheirSide(items={one["name"]: self._shown(one) for one in found["milestones"]})

    async def look(self, external_id: str) -> Theirs | None:
        """One of them."""
        found = await self._calls.ask("GET", _path(external_id), missing_is_none=True)
        return self._shown(found) if found is not None else None

    async def seek(self, mark: str, listed: TheirSide) -> Theirs | None:
        """Nothing is there that isn't listed."""
        return None

    async def create(self, card: Card) -> Theirs:
        """A new one, with all that the card says."""
        return self._shown(await self._calls.ask("POST", "/earnest/milestones", _body(card, frozenset(Field))))

    async def write(self, external_id: str, card: Card, changed: frozenset[Field]) -> Theirs:
        """What changed, with the footer; a title renames it."""
        return self._shown(await self._calls.ask("POST", _path(external_id), _body(card, changed)))

    async def close(self) -> None:
        """Let go of connections."""
        await self._calls.close()

    def _shown(self, one: Mapping[str, Any]) -> Theirs:
        parts = footer.split(one["description"])
        name, due_on = canonical(one["name"]), one["due"] or ""
        return Theirs(
            id=one["name"],
            values={Field.TITLE: name, Field.PURPOSE: parts.purpose, Field.DUE_ON: due_on},
            mark=parts.mark,
            facts=parts.facts,
            price=parts.price,
            is_done=one["completed"],
            updated_at=datetime.fromisoformat(one["changed"]) if one["changed"] else None,
            url=f"{self._base}/milestone/{quote(one['name'])}" if self._base else None,
        )


def _path(external_id: str) -> str:
    return f"/earnest/milestones/{quote(external_id, safe='')}"


def _body(card: Card, changed: frozenset[Field]) -> dict[str, object]:
    body: dict[str, object] = {"description": footer.joined(card), "completed": card.is_done}
    if Field.TITLE in changed:
        body["name"] = card.values[Field.TITLE]
    if Field.DUE_ON in changed:
        body["due"] = card.values[Field.DUE_ON]
    return body
