"""What the stand-in does with payments: PaymentIntents, their charges, and refunds of them.

What a payment comes to is chosen by its payment method, by the names that Stripe's own test mode knows; and by two of our
sandbox, so that the demo's people can pay here as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.stand_ins.stripe.books import Books, Json, Refusal, happens_later
from tests.stand_ins.stripe.hostility import DAY_SECONDS

SETTLE_SECONDS: Final = 60
"""From the confirmation of a payment that takes its time until its result."""

FEE_BASIS_POINTS: Final = 290
FEE_FIXED: Final = 30

ACTION_SECONDS: Final = DAY_SECONDS
"""How long the payer may take for what they have to do; the stand-in gives up then."""


@dataclass(frozen=True, slots=True)
class Method:
    """What a payment method does."""

    declined: str | None = None
    asks_payer: bool = False
    takes_time: bool = False
    fails_later: bool = False
    available_at_once: bool = False
    is_disputed: bool = False
    refund_fails: bool = False
    refund_takes_time: bool = False


METHODS: Final[dict[str, Method]] = {
    "pm_card_visa": Method(),
    "pm_card_bypassPending": Method(available_at_once=True),
    "pm_card_authenticationRequired": Method(asks_payer=True),
    "pm_card_threeDSecure2Required": Method(asks_payer=True),
    "pm_card_visa_chargeDeclined": Method(declined="generic_decline"),
    "pm_card_chargeDeclined": Method(declined="generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": Method(declined="insufficient_funds"),
    "pm_card_createDispute": Method(is_disputed=True),
    "pm_card_refundFail": Method(refund_fails=True),
    "pm_card_pendingRefund": Method(refund_takes_time=True),
    "tok_ok": Method(),
    "tok_fail": Method(declined="generic_decline"),
    "pm_usBankAccount_success": Method(takes_time=True),
    "pm_usBankAccount_accountClosed": Method(takes_time=True, fails_later=True),
}


def create_intent(books: Books, asked: Json) -> Json:
    """POST /v1/payment_intents, without confirming."""
    if asked.get("confirm"):
        raise Refusal(400, "the stand-in confirms in a request of its own")
    name = books.new_id("pi")
    intent: Json = {
        "id": name,
        "object": "payment_intent",
        "amount": _amount(asked),
        "amount_capturable": 0,
        "amount_received": 0,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{name}_secret_{name[-8:]}",
        "confirmation_method": "automatic",
        "created": books.clock.now(),
        "currency": asked["currency"],
        "customer": asked.get("customer"),
        "description": asked.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "next_action": None,
        "payment_method": asked.get("payment_method"),
        "payment_method_types": asked.get("payment_method_types", ["card"]),
        "status": "requires_confirmation" if asked.get("payment_method") else "requires_payment_method",
        "transfer_group": asked.get("transfer_group"),
    }
    if "automatic_payment_methods" in asked:
        intent["automatic_payment_methods"] = {
            "allow_redirects": asked["automatic_payment_methods"].get("allow_redirects", "always"),
            "enabled": asked["automatic_payment_methods"]["enabled"],
        }
    books.put("payment_intent", intent)
    books.say("payment_intent.created", intent)
    return intent


def _amount(asked: Json) -> int:
    amount = int(asked["amount"])
    if amount < 1:
        raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer")
    if amount > 99_999_999_999:
        raise Refusal(400, "Amount must be no more than $999,999.99", code="amount_too_large")
    return amount


def confirm_intent(books: Books, name: str, asked: Json) -> Json:
    """POST /v1/payment_intents/{intent}/confirm."""
    intent = books.get("payment_intent", name)
    if intent["status"] not in ("requires_confirmation", "requires_payment_method", "requires_action"):
        raise Refusal(
            400,
            f"This PaymentIntent's status is {intent['status']} and can't be confirmed.",
            code="payment_intent_unexpected_state",
        )
    intent["payment_method"] = asked.get("payment_method", intent["payment_method"])
    if intent["payment_method"] is None:
        raise Refusal(400, "You cannot confirm without a payment method.", code="parameter_missing")
    method = METHODS.get(intent["payment_method"])
    if method is None:
        raise Refusal(404, f"No such PaymentMethod: '{intent['payment_method']}'", code="resource_missing")
    if method.declined:
        raise _declined(books, intent, method.declined)
    if method.asks_payer:
        return _ask_payer(books, intent, asked.get("return_url"))
    if method.takes_time:
        return _take_time(books, intent)
    return succeed(books, intent)


def _declined(books: Books, intent: Json, code: str) -> Refusal:
    error: Json = {
        "code": "card_declined",
        "decline_code": code,
        "message": "Your card was declined.",
        "type": "card_error",
    }
    charge = _charge(books, intent, paid=False)
    error["charge"] = charge["id"]
    intent |= {"status": "requires_payment_method", "last_payment_error": error, "latest_charge": charge["id"]}
    intent["payment_method"] = None
    books.say("payment_intent.payment_failed", intent)
    refusal = Refusal(402, error["message"], code="card_declined", kind="card_error")
    refusal.body.update(error | {"payment_intent": {**intent, "last_payment_error": None}})
    return refusal


def _ask_payer(books: Books, intent: Json, return_url: str | None) -> Json:
    if return_url is None:
        action: Json = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    else:
        page = f"{books.address}/3d-secure/{intent['id']}?secret={intent['client_secret']}"
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": page}}
    intent |= {"status": "requires_action", "next_action": action}
    books.say("payment_intent.requires_action", intent)
    books.later(ACTION_SECONDS, "give_up", intent["id"])
    return intent


def authenticate(books: Books, name: str, *, passed: bool) -> Json:
    """The payer has been at the page of their bank: it believed them, or not."""
    intent = books.get("payment_intent", name)
    if intent["status"] != "requires_action":
        return intent
    intent["next_action"] = None
    if passed:
        return succeed(books, intent)
    error = {
        "code": "payment_intent_authentication_failure",
        "message": "The provided PaymentMethod has failed authentication.",
        "type": "invalid_request_error",
    }
    intent |= {"status": "requires_payment_method", "last_payment_error": error, "payment_method": None}
    books.say("payment_intent.payment_failed", intent)
    return intent


@happens_later
def give_up(books: Books, name: str) -> None:
    """Nobody came to the page of the bank."""
    intent = books.get("payment_intent", name)
    if intent["status"] == "requires_action":
        authenticate(books, name, passed=False)


def _take_time(books: Books, intent: Json) -> Json:
    intent |= {"status": "processing", "next_action": None}
    books.say("payment_intent.processing", intent)
    books.later(SETTLE_SECONDS, "finish_slowly", intent["id"])
    return intent


@happens_later
def finish_slowly(books: Books, name: str) -> None:
    """What took its time has its result."""
    intent = books.get("payment_intent", name)
    if METHODS[intent["payment_method"]].fails_later:
        error = {"code": "account_closed", "message": "The account is closed.", "type": "invalid_request_error"}
        intent |= {"status": "requires_payment_method", "last_payment_error": error, "payment_method": None}
        books.say("payment_intent.payment_failed", intent)
    else:
        succeed(books, intent)


def succeed(books: Books, intent: Json) -> Json:
    """The money comes: a charge, and a balance that is larger by it, less the fee."""
    charge = _charge(books, intent, paid=True)
    intent |= {
        "status": "succeeded",
        "next_action": None,
        "latest_charge": charge["id"],
        "amount_received": intent["amount"],
        "last_payment_error": None,
    }
    books.say("charge.succeeded", charge)
    books.say("payment_intent.succeeded", intent)
    wrong, method = books.hostility, METHODS[intent["payment_method"]]
    # A payment is disputed or not by what it is for: the same in every run, whoever came first.
    name = intent["metadata"].get("order", intent["id"])
    if method.is_disputed or wrong.happens(wrong.disputes, "dispute", name):
        books.later(wrong.pending_seconds if not method.is_disputed else 5, "open_dispute", charge["id"])
    return intent


def fee_of(amount: int) -> int:
    """What Stripe keeps of a charge; its account's pricing says how much."""
    return (amount * FEE_BASIS_POINTS + 5_000) // 10_000 + FEE_FIXED


def _charge(books: Books, intent: Json, *, paid: bool) -> Json:
    name, amount = books.new_id("ch"), intent["amount"]
    transaction = None
    if paid:
        soon = METHODS[intent["payment_method"]].available_at_once
        wait = 0 if soon else books.hostility.pending_seconds
        moved = books.move(
            "", "charge", amount, intent["currency"], source=name, fee=fee_of(amount), pending_seconds=wait
        )
        transaction = moved["id"]
    charge: Json = {
        "id": name,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if paid else 0,
        "amount_refunded": 0,
        "balance_transaction": transaction,
        "billing_details": {"address": None, "email": None, "name": None, "phone": None, "tax_id": None},
        "captured": paid,
        "created": books.clock.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None if paid else "card_declined",
        "failure_message": None if paid else "Your card was declined.",
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "refunded": False,
        "status": "succeeded" if paid else "failed",
        "transfer_group": intent["transfer_group"],
    }
    return books.put("charge", charge)


def cancel_intent(books: Books, name: str, asked: Json) -> Json:
    """POST /v1/payment_intents/{intent}/cancel."""
    intent = books.get("payment_intent", name)
    if intent["status"] in ("succeeded", "processing", "canceled"):
        raise Refusal(
            400,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}.",
            code="payment_intent_unexpected_state",
        )
    intent |= {
        "status": "canceled",
        "next_action": None,
        "canceled_at": books.clock.now(),
        "cancellation_reason": asked.get("cancellation_reason"),
    }
    books.say("payment_intent.canceled", intent)
    return intent


def refund(books: Books, asked: Json) -> Json:
    """POST /v1/refunds of a charge or of a payment's."""
    charge = books.get("charge", asked.get("charge") or _charge_of(books, asked))
    left = charge["amount"] - charge["amount_refunded"]
    amount = asked.get("amount", left)
    if any(one["status"] != "won" for one in books.drawer().fitting("dispute", {"charge": charge["id"]}, ("charge",))):
        raise Refusal(400, f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if amount > left or not charge["paid"]:
        raise Refusal(400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})")
    method = METHODS[charge["payment_method"]]
    name = books.new_id("re")
    moved = books.move("", "refund", -amount, charge["currency"], source=name)
    made: Json = {
        "id": name,
        "object": "refund",
        "amount": amount,
        "balance_transaction": moved["id"],
        "charge": charge["id"],
        "created": books.clock.now(),
        "currency": charge["currency"],
        "metadata": asked.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "reason": asked.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if method.refund_takes_time else "succeeded",
        "transfer_reversal": None,
    }
    books.put("refund", made)
    _refunded(charge, amount)
    books.say("refund.created", made)
    books.say("charge.refunded", charge)
    wrong = books.hostility
    named = made["metadata"].get("order", name)
    attempt = len(books.drawer().of_order("refund", named))
    if method.refund_fails or wrong.happens(wrong.refunds_fail, "refund", named, attempt):
        books.later(SETTLE_SECONDS, "fail_refund", name)
    elif method.refund_takes_time:
        books.later(SETTLE_SECONDS, "finish_refund", name)
    return made


def _charge_of(books: Books, asked: Json) -> str:
    charge = books.get("payment_intent", asked.get("payment_intent", "none"))["latest_charge"]
    if charge is None:
        raise Refusal(400, "This PaymentIntent does not have a successful charge to refund.")
    return str(charge)


def _refunded(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


@happens_later
def finish_refund(books: Books, name: str) -> None:
    """A refund that took its time has arrived."""
    made = books.get("refund", name)
    made["status"] = "succeeded"
    books.say("refund.updated", made)


@happens_later
def fail_refund(books: Books, name: str) -> None:
    """A refund comes back: the client's bank didn't take it, though it was said to have succeeded."""
    made = books.get("refund", name)
    charge = books.get("charge", made["charge"])
    moved = books.move("", "refund_failure", made["amount"], made["currency"], source=name)
    made |= {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card",
        "failure_balance_transaction": moved["id"],
    }
    _refunded(charge, -made["amount"])
    books.say("refund.failed", made)
