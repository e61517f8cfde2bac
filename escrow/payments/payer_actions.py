"""Keeps what a payer has to do, encrypted in the row of the order, for as long as the deposit waits for it.

A client secret pays, and an address may be opened once: no event and no log has them, and the client alone is shown them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import orjson

from escrow.access import Actor
from escrow.database import fetch, fetch_row
from escrow.payments.leases import Claimed, LeaseLost
from escrow.payments.results import PayerAction
from escrow.payments.tokens_at_rest import Standing, surveyed
from escrow.rules import RULES, Action
from escrow.states import ActionKind
from escrow.vault import Undecipherable, vault


async def keep(order: Claimed, action: PayerAction) -> datetime | None:
    """Store what the payer has to do; gives the moment when it ends, in domain time.

    Raises `LeaseLost` if the order is another worker's.
    """
    sealed = seal(action, order_id=order.id)
    row = await fetch_row(_KEEP, order.id, order.lease_token, sealed, order.contract_id)
    if row is None:
        raise LeaseLost(order.id)
    return action.until + row["clock_offset"] if action.until is not None else None


def seal(action: PayerAction, *, order_id: str) -> str:
    """What is stored of an action."""
    fields = {
        "kind": action.kind.value,
        "url": action.url,
        "client_secret": action.client_secret,
        "reference": action.reference,
        "until": action.until.isoformat() if action.until is not None else None,
    }
    return base64.b64encode(vault().encrypt(orjson.dumps(fields), purpose=_purpose(order_id))).decode()


def unseal(stored: str, *, order_id: str) -> PayerAction:
    """The action of what was stored. Raises `Undecipherable`."""
    try:
        ciphertext = base64.b64decode(stored, validate=True)
    except binascii.Error as error:
        raise Undecipherable(f"the {_purpose(order_id)} is damaged") from error
    found: dict[str, Any] = orjson.loads(vault().decrypt(ciphertext, purpose=_purpose(order_id)))
    until = datetime.fromisoformat(found["until"]) if found["until"] is not None else None
    return PayerAction(**{**found, "kind": ActionKind(found["kind"]), "until": until})


async def shown(actor: Actor, deposit_ids: Collection[str]) -> dict[str, PayerAction]:
    """What the actor has to do for those of the deposits that are its own, by deposit; nothing for whoever may not fund.

    One that no key of the process opens is left out: the next look at the provider keeps it anew.
    """
    rule = RULES[Action.FUND]
    if not actor.role.includes(rule.role) or rule.scope not in actor.scopes:
        return {}
    found = {}
    for row in await fetch(_SHOWN, list(deposit_ids), actor.account_id):
        with contextlib.suppress(Undecipherable):
            found[row["id"]] = unseal(row["next_action"], order_id=row["order_id"])
    return found


async def survey(*, renew: bool = False) -> Standing:
    """Look at what every payer has to do, as at payment tokens: with `renew` what isn't under the first key is."""
    return await surveyed("next_action", _anew, renew=renew)


def _anew(stored: str, order_id: str) -> str | None:
    action = unseal(stored, order_id=order_id)
    is_current = not vault().needs_renewal(base64.b64decode(stored))
    return None if is_current else seal(action, order_id=order_id)


def _purpose(order_id: str) -> str:
    return f"payer's action of {order_id}"


_KEEP: Final = """
    UPDATE payment_orders SET next_action = $3
    WHERE contract_id = $4 AND id = $1 AND lease_token = $2 AND state = 'STARTED'
    RETURNING (SELECT clock_offset FROM deployment WHERE id = 1) AS clock_offset
"""

_SHOWN: Final = """
    SELECT d.id, d.order_id, o.next_action FROM deposits AS d
    JOIN payment_orders AS o ON o.id = d.order_id JOIN contracts AS c ON c.id = d.contract_id
    WHERE d.id = ANY ($1::text[]) AND c.client_id = $2 AND d.action IS NOT NULL AND o.next_action IS NOT NULL
"""
