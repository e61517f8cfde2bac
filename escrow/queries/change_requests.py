"""Change requests as an actor may see them: by identifier, and page by page."""

from __future__ import annotations

from collections.abc import Collection

from escrow.access import Actor
from escrow.agreement.state import ChangeRequest
from escrow.ids import Kind
from escrow.queries.views import Parent, View, by_id, pages_of
from escrow.store.tables import CHANGE_REQUESTS


async def change_requests_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[ChangeRequest]]:
    """Those of the change requests that exist and that the actor may see, by identifier; one statement."""
    return await by_id(CHANGE_REQUESTS, Kind.CHANGE_REQUEST, actor, identifiers)


async def change_requests_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[ChangeRequest]]]:
    """For each contract at most `limit` change requests, oldest first, those after the id `after`; one statement."""
    return await pages_of(CHANGE_REQUESTS, parents, parent, limit, after)
