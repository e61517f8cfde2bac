"""What the stand-in does with payees: accounts, links to the pages where they tell who they are, and what is missing."""

from __future__ import annotations

import hashlib
from typing import Final

from tests.stand_ins.stripe.books import Books, Json

LINK_SECONDS: Final = 300

MISSING: Final = ("external_account", "individual.verification.document", "tos_acceptance.date")


def own_account(books: Books) -> Json:
    """GET /v1/account: the platform's own, another one for each seed."""
    letters = hashlib.sha256(f"platform {books.hostility.seed}".encode()).hexdigest()[:16]
    return _account(books, {"type": "standard", "capabilities": {}}) | {"id": f"acct_{letters}"}


def create_account(books: Books, asked: Json) -> Json:
    """POST /v1/accounts: nobody has told anything yet, so it may receive nothing."""
    return books.put("account", _account(books, asked) | {"id": books.new_id("acct")})


def _account(books: Books, asked: Json) -> Json:
    schedule = asked.get("settings", {}).get("payouts", {}).get("schedule", {})
    controller = asked.get("controller", {})
    return {
        "object": "account",
        "business_type": asked.get("business_type"),
        "capabilities": dict.fromkeys(asked.get("capabilities", {}), "inactive"),
        "charges_enabled": False,
        "controller": {
            "fees": {"payer": controller.get("fees", {}).get("payer", "application")},
            "is_controller": True,
            "losses": {"payments": controller.get("losses", {}).get("payments", "application")},
            "requirement_collection": controller.get("requirement_collection", "stripe"),
            "stripe_dashboard": {"type": controller.get("stripe_dashboard", {}).get("type", "express")},
            "type": "application",
        },
        "country": asked.get("country", "US"),
        "created": books.clock.now(),
        "default_currency": asked.get("default_currency", "usd"),
        "details_submitted": False,
        "email": asked.get("email"),
        "metadata": asked.get("metadata", {}),
        "payouts_enabled": False,
        "requirements": _requirements(MISSING),
        "settings": _settings(schedule.get("interval", "daily")),
        "type": asked.get("type", "none"),
    }


def _requirements(missing: tuple[str, ...]) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": list(missing),
        "disabled_reason": "requirements.past_due" if missing else None,
        "errors": [],
        "eventually_due": list(missing),
        "past_due": list(missing),
        "pending_verification": [],
    }


def _settings(interval: str) -> Json:
    return {
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": interval},
            "statement_descriptor": None,
        },
    }


def link(books: Books, asked: Json) -> Json:
    """POST /v1/account_links."""
    account = books.get("account", asked["account"])
    now = books.clock.now()
    return {
        "object": "account_link",
        "created": now,
        "expires_at": now + LINK_SECONDS,
        "url": f"{books.address}/onboarding/{account['id']}",
    }


def told(books: Books, name: str, *, bank: str = "good") -> Json:
    """The payee has told everything; `bank` is `good`, or `closed`: one that sends back what it gets."""
    account = books.get("account", name)
    books.banks[name] = bank
    account |= {
        "details_submitted": True,
        "charges_enabled": True,
        "payouts_enabled": True,
        "capabilities": dict.fromkeys(account["capabilities"], "active"),
        "requirements": _requirements(()),
    }
    books.say("account.updated", account, name)
    return account


def asked_for_more(books: Books, name: str, *missing: str, deadline_seconds: float | None = None) -> Json:
    """Stripe wants to know more of a payee: at once, or until a deadline, before which nothing is held up."""
    account = books.get("account", name)
    if deadline_seconds is None:
        account |= {"payouts_enabled": False, "requirements": _requirements(missing)}
        account["capabilities"] = dict.fromkeys(account["capabilities"], "inactive")
    else:
        account["requirements"] |= {
            "currently_due": list(missing),
            "current_deadline": int(books.clock.now() + deadline_seconds),
        }
    books.say("account.updated", account, name)
    return account
