"""Tells apart the accounts at one provider that a deployment's money is in: a key may be that of another one than yesterday's.

What was begun with one account is looked up, and repeated, there alone: calls and payees bear the provider's name, and with
another account than the first one its identifier as well, so that each is to the other what another provider is. Another account
is taken up by itself only if nothing is open; else the deployment must name it, and until then nothing is asked of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from escrow.database import fetch_row
from escrow.payments.provider import Provider
from escrow.payments.results import ProviderError
from escrow.terms import Terms


class AnotherAccount(ProviderError):
    """The key is that of another account than the one that orders are open in, and nobody has said that this is meant."""


async def settled(provider: Provider) -> Terms:
    """The provider's terms, under the name that its calls bear from now on.

    Raises `AnotherAccount`, and what the provider raises: nothing else may be asked of it then.
    """
    terms, account = provider.terms, await provider.own_account()
    row = await fetch_row(_SETTLE, terms.door, account, account is not None and account == terms.account)
    assert row is not None  # noqa: S101 - for the type checker: a deployment has its row
    if row["first"] is None:
        return terms
    if account is None:
        raise AnotherAccount(f"the key may not tell whose it is, which must be account {row['present']}")
    if not row["may"]:
        raise AnotherAccount(
            f"the key is one of account {account}, and what is open is in account {row['present']}: "
            "set that one's key again, or name the new account in EARNEST_STRIPE_ACCOUNT"
        )
    return terms if account == row["first"] else replace(terms, provider=f"{terms.door} {account}")


_IS_OPEN: Final = """
    EXISTS (SELECT FROM payment_orders WHERE is_stuck OR state = 'STARTED' OR (state, kind) = ('FAILED', 'REFUND')
        OR (state = 'ABANDONED' AND due_at IS NOT NULL))
    OR EXISTS (SELECT FROM balances WHERE balance_minor > 0)
    OR EXISTS (SELECT FROM deposits WHERE reversal = 'OPEN')
"""

# One process notes the account, and the others read what it noted. The first one stays the first.
_SETTLE: Final = f"""
    WITH known AS MATERIALIZED (
        SELECT coalesce(provider_accounts -> $1::text, '[]') AS accounts FROM deployment WHERE id = 1 FOR UPDATE
    ), noted AS (
        UPDATE deployment
        SET provider_accounts = provider_accounts || jsonb_build_object($1::text, accounts || to_jsonb($2::text))
        FROM known
        WHERE id = 1 AND $2::text IS NOT NULL AND accounts ->> -1 IS DISTINCT FROM $2::text
            AND (accounts = '[]' OR $3::boolean OR NOT ({_IS_OPEN}))
        RETURNING accounts || to_jsonb($2::text) AS accounts
    ), told AS (SELECT coalesce((SELECT accounts FROM noted), accounts) AS accounts FROM known)
    SELECT accounts ->> 0 AS first, accounts ->> -1 AS present, accounts ->> -1 = $2::text AS may FROM told
"""  # noqa: S608 - a constant
