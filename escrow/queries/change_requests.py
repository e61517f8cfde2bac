"""Change requests as an actor may see them: by identifier, and page by page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from escrow.access import Actor
from escrow.agreement.state import ChangeRequest
from escrow.ids import Kind
from escrow.queries.views import Parent, Source, View, by_id, pages_of
from escrow.store.objects import (
    CHANGE_REQUEST,
    change_request_of,
)

_CHANGES: Final = Source(Kind.CHANGE_REQUEST, "change_requests", CHANGE_REQUEST, change_request_of)


async def change_requests_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[ChangeRequest]]:
    """Those of the change requests that exist and that the actor may see, by identifier; one statement."""
    return await by_id(_CHANGES, actor, identifiers)


async def change_requests_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[ChangeRequest]]]:
    """For each contract at most `limit` change requests, oldest first, those after the id `after`; one statement."""
    return await pages_of(_CHANGES, parents, parent, limit, after)
