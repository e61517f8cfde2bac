"""The type of what a payer has to do before a deposit can go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.payments import payer_actions, results
from escrow.states import ActionKind
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader


@strawberry.type(
    description="What the client has to do before the payment provider goes on with a deposit, and with what. A secret pays: "
    "it is for the client's own browser alone."
)
class PayerAction:
    kind: ActionKind = strawberry.field(description="What it is.")
    url: str | None = strawberry.field(description="The address to open, if it is one.")
    client_secret: str | None = strawberry.field(
        description="What the provider's own script in the client's browser takes, if it is asked."
    )
    reference: str | None = strawberry.field(description="What a bank transfer must name, if it is one.")
    until: datetime | None = strawberry.field(
        description="When the provider gives up waiting, in real time; null if it doesn't say. The deposit's `dueAt` holds too."
    )


@data_loader
async def next_action_of(deposit_ids: Sequence[str], context: Context) -> list[PayerAction | None]:
    """What the viewer has to do for each deposit that is theirs: one statement for all that are asked for."""
    found = await payer_actions.shown(context.known(), deposit_ids)
    return [_shown(found.get(deposit_id)) for deposit_id in deposit_ids]


def _shown(action: results.PayerAction | None) -> PayerAction | None:
    if action is None:
        return None
    return PayerAction(
        kind=action.kind,
        url=action.url,
        client_secret=action.client_secret,
        reference=action.reference,
        until=action.until,
    )
