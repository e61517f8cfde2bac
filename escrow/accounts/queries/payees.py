"""What an actor may see of payees: of its own accounts, as the payment provider said last; one statement for any number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from escrow import database
from escrow.access import Actor
from escrow.accounts.queries.accounts import _whole
from escrow.accounts.state import Payee
from escrow.accounts.tables import PAYEES


async def payees_of_accounts(actor: Actor, account_ids: Sequence[str]) -> dict[str, Payee]:
    """By account, for those of which the actor sees everything; without an entry where nobody asked to be paid."""
    rows = await database.fetch(_OF_ACCOUNTS, _whole(actor, account_ids))
    return {row["account_id"]: PAYEES.read(row) for row in rows}


_OF_ACCOUNTS: Final = f"""
SELECT {PAYEES.select("payee")} FROM payees AS payee WHERE payee.account_id = ANY ($1::text[])
"""  # noqa: S608 - our own columns
