"""Says what each of Stripe's balance transactions is in our words: a movement, with its fee and its order."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from escrow.payments.movements import Movement, MovementKind
from escrow.payments.stripe.amounts import from_stripe
from escrow.payments.stripe.objects import exchange

Json = dict[str, Any]

KINDS: Final = {
    "charge": MovementKind.CHARGE,
    "payment": MovementKind.CHARGE,
    "refund": MovementKind.REFUND,
    "payment_refund": MovementKind.REFUND,
    "refund_failure": MovementKind.REFUND_FAILED,
    "payment_failure_refund": MovementKind.REFUND_FAILED,
    "transfer": MovementKind.TRANSFER,
    "transfer_refund": MovementKind.TRANSFER_RETURNED,
    "transfer_cancel": MovementKind.TRANSFER_RETURNED,
    "transfer_failure": MovementKind.TRANSFER_RETURNED,
    "stripe_fee": MovementKind.FEE,
    "stripe_fx_fee": MovementKind.FEE,
    "tax_fee": MovementKind.FEE,
    "payout": MovementKind.WITHDRAWAL,
    "payout_cancel": MovementKind.WITHDRAWAL,
    "payout_failure": MovementKind.WITHDRAWAL,
    "topup": MovementKind.WITHDRAWAL,
    "topup_reversal": MovementKind.WITHDRAWAL,
    "stripe_balance_payment_debit": MovementKind.FEE,
    "stripe_balance_payment_debit_reversal": MovementKind.FEE,
    "reserved_funds": MovementKind.RESERVE,
    "reserve_transaction": MovementKind.RESERVE,
    "reserve_hold": MovementKind.RESERVE,
    "reserve_release": MovementKind.RESERVE,
    "payment_network_reserve_hold": MovementKind.RESERVE,
    "payment_network_reserve_release": MovementKind.RESERVE,
    "payout_minimum_balance_hold": MovementKind.RESERVE,
    "payout_minimum_balance_release": MovementKind.RESERVE,
    "connect_collection_transfer": MovementKind.RESERVE,
}
"""By the type of a balance transaction; what isn't here is told by its source, or `OTHER`."""


def movement(transaction: Json) -> Movement:
    """A balance transaction whose source is expanded."""
    currency = transaction["currency"]
    found = transaction["source"]
    source: Json = found if isinstance(found, dict) else {"id": found}
    asked: Json = source.get("metadata") or {}
    kept_in: str = source.get("currency") or currency
    return Movement(
        id=transaction["id"],
        kind=_kind(transaction, source),
        at=datetime.fromtimestamp(transaction["created"], UTC),
        amount=from_stripe(transaction["amount"], currency),
        fee=from_stripe(transaction["fee"], currency),
        net=from_stripe(transaction["net"], currency),
        source_id=_source_id(source),
        order_id=asked.get("order"),
        group=asked.get("group") or source.get("transfer_group"),
        exchange=exchange(transaction, kept_in, source.get("amount", 0)),
        description=transaction.get("description") or "",
    )


def _kind(transaction: Json, source: Json) -> MovementKind:
    if source.get("object") == "dispute":
        return MovementKind.REVERSAL if transaction["amount"] < 0 else MovementKind.REVERSAL_RETURNED
    if transaction["type"] == "adjustment" and source["id"] is None:
        return MovementKind.FEE  # of what Stripe took before: what it takes back of a charge or a refund names that
    return KINDS.get(transaction["type"], MovementKind.OTHER)


def _source_id(source: Json) -> str | None:
    """What orders know it by: a charge by its PaymentIntent."""
    if source.get("object") == "charge":
        return str(source.get("payment_intent") or source["id"])
    return None if source["id"] is None else str(source["id"])
