"""The type of transfers: how the money of a contract got where it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from escrow.queries import transfers
from schema.connections import Connection, Window
from schema.engine.context import Context
from schema.engine.data_loaders import data_loader
from schema.types.common import Money, Node, money_of
from schema.types.paging import pages_of


@strawberry.type(description="Money that moved from one ledger account to another. Never changed, never deleted.")
class Transfer(Node):
    contract_id: strawberry.ID = strawberry.field(description="The contract that it belongs to.")
    event_id: strawberry.ID = strawberry.field(description="The event that caused it.")
    debit: str = strawberry.field(description="The ledger account that the money left: `clearing:USD`.")
    credit: str = strawberry.field(description="The ledger account that it went to: `escrow:mil_…`.")
    amount: Money = strawberry.field(description="How much.")
    occurred_at: datetime = strawberry.field(description="When it happened.")

    @classmethod
    def of(cls, view: transfers.TransferView) -> Transfer:
        return cls(
            id=strawberry.ID(view.id),
            contract_id=strawberry.ID(view.contract_id),
            event_id=strawberry.ID(view.event_id),
            debit=view.debit,
            credit=view.credit,
            amount=money_of(view.amount.minor, view.amount.currency),
            occurred_at=view.occurred_at,
        )


@data_loader
async def transfer_of(transfer_ids: Sequence[str], context: Context) -> list[Transfer | None]:
    """Transfers by identifier, as far as the viewer may see them: one statement for all that are asked for."""
    found = await transfers.TRANSFERS.by_id(context.known(), transfer_ids)
    return [Transfer.of(found[transfer_id]) if transfer_id in found else None for transfer_id in transfer_ids]


@data_loader
async def transfers_of(contract_ids: Sequence[str], _: Context, window: Window) -> list[Connection[Transfer]]:
    """A page of the transfers of each contract: one statement for all that are asked for."""
    return await pages_of(
        transfers.TRANSFERS, Transfer.of, contract_ids, "contract_id", order="transfers_pages", window=window
    )
