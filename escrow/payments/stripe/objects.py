"""Reads what Stripe's objects say, in the words of the port."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from escrow.money import Money
from escrow.payments.results import (
    Exchange,
    Failed,
    NeedsAction,
    OnboardingLink,
    PayeeState,
    PayerAction,
    Pending,
    Prepared,
    ProviderError,
    Reversal,
    ReversalStage,
    Reversed,
    Succeeded,
)
from escrow.payments.stripe.amounts import from_stripe, limits_of, taken
from escrow.states import ActionKind
from escrow.stripe_access import PayoutsBy, StripeAccess
from escrow.terms import Terms

Json = dict[str, Any]

BY_PAYER: Final = "payer"
BY_US: Final = "us"
"""Who confirms a payment, as its metadata say."""

STAGES: Final = {
    "needs_response": ReversalStage.OPEN,
    "under_review": ReversalStage.OPEN,
    "won": ReversalStage.WON,
    "lost": ReversalStage.LOST,
}
"""Disputes that took money; the others (inquiries, and what was prevented) took none."""


def at(seconds: int | None) -> datetime | None:
    """A time of Stripe's."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def charge_state(intent: Json) -> Prepared | Pending | NeedsAction | Succeeded | Failed | None:
    """What became of a PaymentIntent; `None` if it failed and has to be given up before that is definite."""
    name, by_payer = intent["id"], intent["metadata"].get("confirmed_by") == BY_PAYER
    match intent["status"]:
        case "succeeded":
            return charged(intent)
        case "processing":
            return Pending(name)
        case "canceled":
            return Failed(_declined(intent) or "The payment was given up.", name)
        case "requires_action":
            return NeedsAction(name, action(intent))
        case "requires_payment_method" | "requires_confirmation" if by_payer:
            return NeedsAction(name, _by_script(intent))
        case "requires_payment_method" if intent.get("last_payment_error"):
            return None
        case "requires_payment_method" | "requires_confirmation":
            return Prepared(name)
        case other:
            raise ProviderError(f"a payment is {other}")


def _declined(intent: Json) -> str | None:
    return (intent.get("last_payment_error") or {}).get("message")


def charged(intent: Json) -> Succeeded:
    """A payment that came; times and fee as far as Stripe knows them yet. The charge and its transaction are expanded."""
    charge = intent.get("latest_charge")
    transaction = charge.get("balance_transaction") if isinstance(charge, dict) else None
    known = transaction if isinstance(transaction, dict) else None
    return Succeeded(
        from_stripe(intent["amount_received"], intent["currency"]),
        intent["id"],
        fee=from_stripe(known["fee"], known["currency"]) if known else None,
        available_at=at(known["available_on"]) if known else None,
        exchange=exchange(known, intent["currency"], intent["amount_received"]) if known else None,
    )


def available_at(charge: Json) -> datetime | None:
    """When the money of a charge is there, as far as its transaction is expanded."""
    transaction = charge.get("balance_transaction")
    return at(transaction["available_on"]) if isinstance(transaction, dict) else None


def with_hold(found: Succeeded, intent: Json, terms: Terms) -> Succeeded:
    """The same, with when the money must have left the balance."""
    limit = terms.hold_limit(found.amount.currency)
    charge = intent.get("latest_charge")
    if limit is None or not isinstance(charge, dict):
        return found
    until = datetime.fromtimestamp(charge["created"], UTC) + limit
    return Succeeded(
        found.amount,
        found.provider_id,
        fee=found.fee,
        hold_until=until,
        available_at=found.available_at,
        exchange=found.exchange,
    )


def exchange(transaction: Json, currency: str, units: int) -> Exchange | None:
    """What was changed on the way to the balance, if it is kept in another currency."""
    rate = transaction.get("exchange_rate")
    if transaction["currency"] == currency:
        return None
    into = from_stripe(transaction["amount"], transaction["currency"])
    return Exchange(from_stripe(units, currency), into, None if rate is None else Decimal(str(rate)))


def action(intent: Json) -> PayerAction:
    """What the payer must do."""
    step: Json = intent["next_action"] or {}
    details: Json = step.get(step.get("type", ""), {})
    if step.get("type") == "display_bank_transfer_instructions":
        return PayerAction(
            kind=ActionKind.BANK_TRANSFER,
            reference=details.get("reference"),
            url=details.get("hosted_instructions_url"),
        )
    url = details.get("url") or details.get("hosted_voucher_url") or details.get("hosted_instructions_url")
    if url is None:
        return _by_script(intent)
    return PayerAction(kind=ActionKind.REDIRECT, url=url, until=at(details.get("expires_at")))


def _by_script(intent: Json) -> PayerAction:
    return PayerAction(kind=ActionKind.CONFIRM, client_secret=intent["client_secret"])


def reversed_by(charge: Succeeded, disputes: list[Json]) -> Succeeded | Reversed:
    """The charge after its disputes, the newest first: each of them may have ended since it was last looked at."""
    told = [reversal(one) for one in reversed(disputes) if one["status"] in STAGES]
    return Reversed(charge, told[-1], tuple(told[:-1])) if told else charge


def reversal(dispute: Json) -> Reversal:
    """A dispute, with the fee that Stripe took less what it gave back."""
    taken = [one for one in dispute["balance_transactions"] if one["fee"]]
    fees = from_stripe(sum(one["fee"] for one in taken), taken[0]["currency"]) if taken else None
    return Reversal(
        stage=STAGES[dispute["status"]],
        amount=from_stripe(dispute["amount"], dispute["currency"]),
        provider_id=dispute["id"],
        fee=fees,
        evidence_until=at(dispute["evidence_details"].get("due_by")),
        reason=str(dispute["reason"]).replace("_", " "),
    )


def refund_state(refund: Json) -> Pending | Succeeded | Failed:
    """What became of a refund. One that failed gave its money back to the balance."""
    name = refund["id"]
    match refund["status"]:
        case "succeeded":
            return Succeeded(_amount(refund), name)
        case "failed" | "canceled":
            return Failed(f"The refund came back: {refund.get('failure_reason') or refund['status']}.", name)
        case _:
            return Pending(name)


def payout_state(payout: Json) -> Pending | Succeeded | Failed:
    """What became of a payout; `paid` is not for ever."""
    name = payout["id"]
    match payout["status"]:
        case "paid":
            return Succeeded(_amount(payout), name)
        case "failed" | "canceled":
            said = payout.get("failure_message") or payout.get("failure_code") or payout["status"]
            return Failed(f"The payout came back: {said}", name)
        case _:
            return Pending(name)


def moved(thing: Json, *, available_at: datetime | None = None) -> Succeeded:
    """A transfer, or one that came back: both are done when they exist."""
    return Succeeded(_amount(thing), thing["id"], available_at=available_at)


def _amount(thing: Json) -> Money:
    return from_stripe(thing["amount"], thing["currency"])


def payee_state(account: Json) -> PayeeState:
    """Whether an account can be paid: it may receive transfers and pay out, and if not, what it waits for."""
    wants: Json = account.get("requirements") or {}
    may_receive = (account.get("capabilities") or {}).get("transfers") == "active"
    missing = [*(wants.get("past_due") or ()), *(wants.get("currently_due") or ())]
    waiting = wants.get("pending_verification") or ()
    can_be_paid = may_receive and bool(account.get("payouts_enabled"))
    return PayeeState(
        can_be_paid=can_be_paid,
        missing=tuple(dict.fromkeys(missing if missing or can_be_paid else waiting)),
        until=at(wants.get("current_deadline")),
    )


def link(found: Json) -> OnboardingLink:
    """An address of Stripe's, for minutes."""
    return OnboardingLink(found["url"], at(found["expires_at"]))


HOLD_LIMIT: Final = timedelta(days=90)
HOLD_LIMITS: Final = {"US": timedelta(days=730), "TH": timedelta(days=10)}
"""For how long Stripe lets a platform hold money, by the platform's country."""

KEY_LIFETIME: Final = timedelta(hours=24)
"""For how long Stripe remembers an idempotency key at least."""


def terms_of(access: StripeAccess) -> Terms:
    """What Stripe allows, as far as it publishes it."""
    currencies = taken(we_order_payouts=access.payouts_by is PayoutsBy.ORDER)
    return Terms(
        provider="stripe",
        account=access.account,
        currencies=currencies,
        limits_by_currency={one: limits_of(one) for one in currencies},
        usual_hold_limit=HOLD_LIMIT,
        hold_limit_by_country=HOLD_LIMITS,
        country=access.country,
        key_lifetime=KEY_LIFETIME,
        needs_payees=True,
    )
