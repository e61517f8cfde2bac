"""What the stand-in does with money that goes out: transfers to payees' accounts, reversals of them, and payouts to banks."""

from __future__ import annotations

from typing import Final

from tests.stand_ins.stripe.books import PLATFORM, Books, Json, Refusal, happens_later, page

PAYOUT_SECONDS: Final = 120
"""From a payout until it is `paid`."""

FAILS_AFTER_SECONDS: Final = 600
"""From `paid` until the bank sends it back."""


def transfer(books: Books, asked: Json) -> Json:
    """POST /v1/transfers: to an account that may receive, from what is available or from one charge."""
    account = books.get("account", asked["destination"])
    amount, currency = int(asked.get("amount", 0)), asked["currency"]
    if account["capabilities"].get("transfers") != "active":
        raise Refusal(
            400,
            "Your destination account needs to have at least one of the following capabilities enabled: transfers",
            code="insufficient_capabilities_for_transfer",
        )
    if amount < 1:
        raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer")
    charge = books.get("charge", asked["source_transaction"]) if "source_transaction" in asked else None
    wait = _wait_for(books, charge, amount, asked) if charge else 0
    if charge is None and books.balance(PLATFORM, currency)[0] < amount:
        raise Refusal(400, "You have insufficient available funds in your Stripe account.", code="balance_insufficient")
    name, arrived = books.new_id("tr"), books.new_id("py")
    moved = books.move(PLATFORM, "transfer", -amount, currency, source=name, pending_seconds=wait)
    books.move(account["id"], "payment", amount, currency, source=arrived, pending_seconds=wait)
    made: Json = {
        "id": name,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": moved["id"],
        "created": books.clock.now(),
        "currency": currency,
        "description": asked.get("description"),
        "destination": account["id"],
        "destination_payment": arrived,
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "reversals": _no_reversals(name),
        "reversed": False,
        "source_transaction": asked.get("source_transaction"),
        "source_type": "card",
        "transfer_group": asked.get("transfer_group") or (charge["transfer_group"] if charge else None),
    }
    books.put("transfer", made)
    books.say("transfer.created", made)
    return made


def _wait_for(books: Books, charge: Json, amount: int, asked: Json) -> float:
    """How long until the charge's money is available. Refuses more than it brought."""
    group = asked.get("transfer_group")
    if group is not None and charge["transfer_group"] not in (None, group):
        raise Refusal(400, f"The transfer_group '{group}' is not that of the source_transaction.")
    if charge["currency"] != asked["currency"]:
        raise Refusal(400, "The currency of source_transaction's balance transaction is different from the transfer's.")
    taken = sum(
        one["amount"] - one["amount_reversed"]
        for one in books.drawer().fitting("transfer", {"source_transaction": charge["id"]}, ("source_transaction",))
    )
    if amount > charge["amount"] - taken:
        raise Refusal(400, "Transfers using this transaction as a source must not exceed the source amount.")
    transaction = books.get("balance_transaction", charge["balance_transaction"])
    return float(max(0, transaction["available_on"] - books.clock.now()))


def _no_reversals(name: str) -> Json:
    return page([], {}, f"/v1/transfers/{name}/reversals")


def reverse(books: Books, name: str, asked: Json) -> Json:
    """POST /v1/transfers/{id}/reversals: as far as the payee's balance covers it."""
    made = books.get("transfer", name)
    left = made["amount"] - made["amount_reversed"]
    amount = asked.get("amount", left)
    if amount > left:
        raise Refusal(400, f"Reversal amount ({amount}) is greater than unreversed amount of transfer ({left})")
    available, pending = books.balance(made["destination"], made["currency"])
    if available + pending < amount:
        raise Refusal(
            400, "The connected account has insufficient funds to cover the reversal.", code="balance_insufficient"
        )
    reversal_name = books.new_id("trr")
    books.move(made["destination"], "payment_refund", -amount, made["currency"], source=made["destination_payment"])
    moved = books.move(PLATFORM, "transfer_refund", amount, made["currency"], source=reversal_name)
    reversal: Json = {
        "id": reversal_name,
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": moved["id"],
        "created": books.clock.now(),
        "currency": made["currency"],
        "destination_payment_refund": books.new_id("pyr"),
        "metadata": asked.get("metadata", {}),
        "source_refund": None,
        "transfer": name,
    }
    books.put("transfer_reversal", reversal)
    made["amount_reversed"] += amount
    made["reversed"] = made["amount_reversed"] == made["amount"]
    made["reversals"]["data"].insert(0, reversal)
    books.say("transfer.reversed", made)
    return reversal


def pay_out(books: Books, account: str, asked: Json) -> Json:
    """POST /v1/payouts of an account's own money to its bank."""
    amount, currency = int(asked["amount"]), asked["currency"]
    if account != PLATFORM and not books.get("account", account)["payouts_enabled"]:
        raise Refusal(400, "Cannot create payouts: this account has requirements.", code="payouts_not_allowed")
    if amount < 1:
        raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer")
    if books.balance(account, currency)[0] < amount:
        raise Refusal(
            400, "You have insufficient funds in your Stripe account for this payout.", code="balance_insufficient"
        )
    name = books.new_id("po")
    moved = books.move(account, "payout", -amount, currency, source=name)
    made: Json = {
        "id": name,
        "object": "payout",
        "amount": amount,
        "arrival_date": books.clock.now() + PAYOUT_SECONDS,
        "automatic": False,
        "balance_transaction": moved["id"],
        "created": books.clock.now(),
        "currency": currency,
        "description": asked.get("description"),
        "destination": f"ba_{account[5:]}",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": asked.get("metadata", {}),
        "method": asked.get("method", "standard"),
        "original_payout": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": asked.get("source_type", "card"),
        "statement_descriptor": asked.get("statement_descriptor"),
        "status": "pending",
        "type": "bank_account",
    }
    books.put("payout", made, account)
    books.say("payout.created", made, account)
    books.later(PAYOUT_SECONDS, "arrive", account, name)
    return made


@happens_later
def arrive(books: Books, account: str, name: str) -> None:
    """The bank is said to have it; a bank that was closed sends it back later."""
    made = books.get("payout", name, account)
    if made["status"] not in ("pending", "in_transit"):
        return
    made["status"] = "paid"
    books.say("payout.paid", made, account)
    wrong = books.hostility
    order = made["metadata"].get("order", name)
    if books.banks.get(account) == "closed" or wrong.happens(wrong.payouts_fail, "payout", order):
        books.later(FAILS_AFTER_SECONDS, "come_back", account, name)


@happens_later
def come_back(books: Books, account: str, name: str) -> None:
    """A payout that was `paid` has failed: the money is the account's again."""
    made = books.get("payout", name, account)
    if made["status"] != "paid":
        return
    moved = books.move(account, "payout_failure", made["amount"], made["currency"], source=name)
    made |= {
        "status": "failed",
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed.",
        "failure_balance_transaction": moved["id"],
    }
    books.say("payout.failed", made, account)
    if account != PLATFORM and books.banks.get(account) == "closed":
        books.of("account")[account]["payouts_enabled"] = False
        books.of("account")[account]["requirements"] |= {
            "currently_due": ["external_account"],
            "past_due": ["external_account"],
            "disabled_reason": "requirements.past_due",
        }
        books.say("account.updated", books.of("account")[account], account)


def cancel_payout(books: Books, account: str, name: str) -> Json:
    """POST /v1/payouts/{payout}/cancel, while it is pending."""
    made = books.get("payout", name, account)
    if made["status"] != "pending":
        raise Refusal(400, "You can only cancel pending payouts.")
    books.move(account, "payout_cancel", made["amount"], made["currency"], source=name)
    made["status"] = "canceled"
    books.say("payout.canceled", made, account)
    return made
