"""What the stand-in does with disputes: opened, answered, won, lost, withdrawn, each with its money and its fee."""

from __future__ import annotations

from typing import Final

from tests.stand_ins.stripe.books import Books, Json, Refusal, happens_later
from tests.stand_ins.stripe.hostility import DAY_SECONDS

FEE: Final = 1_500

EVIDENCE_SECONDS: Final = 9 * DAY_SECONDS
DECISION_SECONDS: Final = 60 * DAY_SECONDS

EVIDENCE_FIELDS: Final = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
    "customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
    "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt",
    "refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation", "shipping_tracking_number",
    "uncategorized_file", "uncategorized_text",
)  # fmt: skip


@happens_later
def open_dispute(books: Books, charge_name: str, amount: str = "") -> None:
    """The client's bank takes the charge back, or `amount` of it, and Stripe its fee on top."""
    charge = books.get("charge", charge_name)
    taken = int(amount) if amount else charge["amount"] - charge["amount_refunded"]
    if charge["disputed"] or taken <= 0:
        return
    name, now = books.new_id("du"), books.clock.now()
    moved = books.move("", "adjustment", -taken, charge["currency"], source=name, fee=FEE, category="dispute")
    charge["disputed"] = True
    dispute: Json = {
        "id": name,
        "object": "dispute",
        "amount": taken,
        "balance_transactions": [moved],
        "charge": charge_name,
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE_FIELDS) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + EVIDENCE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "fraudulent",
        "status": "needs_response",
    }
    books.put("dispute", dispute)
    books.say("charge.dispute.created", dispute)
    books.say("charge.dispute.funds_withdrawn", dispute)
    books.later(DECISION_SECONDS, "decide_dispute", name)


def answer(books: Books, name: str, asked: Json) -> Json:
    """POST /v1/disputes/{dispute}: evidence; `winning_evidence` and `losing_evidence` decide at once, as in test mode."""
    dispute = books.get("dispute", name)
    if dispute["status"] not in ("needs_response", "under_review"):
        raise Refusal(400, "This dispute is already closed.")
    dispute["evidence"].update(asked.get("evidence", {}))
    dispute["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
    dispute["status"] = "under_review"
    books.say("charge.dispute.updated", dispute)
    text = asked.get("evidence", {}).get("uncategorized_text")
    if text in ("winning_evidence", "losing_evidence"):
        close(books, dispute, "won" if text == "winning_evidence" else "lost")
    return dispute


def accept(books: Books, name: str) -> Json:
    """POST /v1/disputes/{dispute}/close: we give in."""
    dispute = books.get("dispute", name)
    if dispute["status"] not in ("needs_response", "under_review"):
        raise Refusal(400, "This dispute is already closed.")
    return close(books, dispute, "lost")


@happens_later
def decide_dispute(books: Books, name: str) -> None:
    """The bank has decided, months later."""
    dispute = books.get("dispute", name)
    if dispute["status"] in ("needs_response", "under_review"):
        order = books.get("charge", dispute["charge"])["metadata"].get("order", name)
        won = books.hostility.happens(books.hostility.disputes_won, "won", order)
        close(books, dispute, "won" if won else "lost")


def close(books: Books, dispute: Json, status: str) -> Json:
    """Won (or withdrawn, which Stripe calls won too), the money is reinstated; the fee is not."""
    dispute["status"] = status
    if status == "won":
        moved = books.move(
            "", "adjustment", dispute["amount"], dispute["currency"], source=dispute["id"], category="dispute_reversal"
        )
        dispute["balance_transactions"].append(moved)
        books.say("charge.dispute.funds_reinstated", dispute)
    books.say("charge.dispute.closed", dispute)
    return dispute
