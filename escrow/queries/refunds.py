"""Refund requests as an actor may see them: by identifier, and page by page."""

from __future__ import annotations

from collections.abc import Collection

from escrow.access import Actor
from escrow.agreement.state import RefundRequest
from escrow.ids import Kind
from escrow.queries.views import Parent, View, by_id, pages_of
from escrow.store.tables import REFUNDS


async def refunds_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[RefundRequest]]:
    """Those of the refund requests that exist and that the actor may see, by identifier; one statement."""
    return await by_id(REFUNDS, Kind.REFUND_REQUEST, actor, identifiers)


async def refunds_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[RefundRequest]]]:
    """For each contract or milestone at most `limit` refund requests, oldest first, those after the id `after`."""
    return await pages_of(REFUNDS, parents, parent, limit, after)
