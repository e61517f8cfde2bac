"""Refund requests as an actor may see them: by identifier, and page by page."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from escrow.access import Actor
from escrow.agreement.state import RefundRequest
from escrow.ids import Kind
from escrow.queries.views import Parent, Source, View, by_id, pages_of
from escrow.store.objects import (
    REFUND_REQUEST,
    refund_of,
)

_REFUNDS: Final = Source(Kind.REFUND_REQUEST, "refund_requests", REFUND_REQUEST, refund_of)


async def refunds_by_id(actor: Actor, identifiers: Collection[str]) -> dict[str, View[RefundRequest]]:
    """Those of the refund requests that exist and that the actor may see, by identifier; one statement."""
    return await by_id(_REFUNDS, actor, identifiers)


async def refunds_pages(
    parents: Collection[str], parent: Parent, *, limit: int, after: str | None
) -> dict[str, list[View[RefundRequest]]]:
    """For each contract or milestone at most `limit` refund requests, oldest first, those after the id `after`."""
    return await pages_of(_REFUNDS, parents, parent, limit, after)
