"""Keeps payment tokens: encrypted, in one place, for as long as their order may still be asked of the provider.

A token pays with the client's money, so the log holds no more of it than a salted hash whose salt is thrown away. The one
copy lies in the row of its order, under the deployment's keys and bound to that order; the database itself drops it as soon as
the order is final. What an earlier release left open is marked `plain:` by the migration, and sealed by the next worker.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from escrow import database
from escrow.agreement.state import Contract
from escrow.vault import Undecipherable, vault

SEALED: Final = "sealed:"
PLAIN: Final = "plain:"

PAGE: Final = 500


def seal(token: str, *, order_id: str) -> str:
    """What is stored of a token."""
    ciphertext = vault().encrypt(token.encode(), purpose=_purpose(order_id))
    return SEALED + base64.b64encode(ciphertext).decode()


def unseal(stored: str, *, order_id: str) -> str:
    """The token of an order. Raises `Undecipherable`."""
    if stored.startswith(PLAIN):
        return stored.removeprefix(PLAIN)
    return vault().decrypt(_ciphertext(stored, order_id), purpose=_purpose(order_id)).decode()


def with_sealed_tokens(before: Contract | None, after: Contract) -> Contract:
    """The contract as it is written: the tokens of its new orders are sealed, those of the others are as they were read."""
    known = before.orders if before is not None else {}
    sealed = {
        order.id: replace(order, payment_token=seal(order.payment_token, order_id=order.id))
        for order in after.orders.values()
        if order.payment_token is not None and order.id not in known
    }
    return replace(after, orders={**after.orders, **sealed}) if sealed else after


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How tokens, or whatever else of orders is encrypted, stand: by what they are encrypted with."""

    current: int = 0
    """Under the first key."""
    older: int = 0
    """Under another one that the process has, or not encrypted yet."""
    unreadable: tuple[str, ...] = ()
    """The orders with one that no key of the process opens."""


async def survey(*, renew: bool = False) -> Standing:
    """Look at every token; with `renew` those that aren't under the first key are, and `older` counts them.

    It may run while everything does, and again after it was cut off: a token that is gone meanwhile stays so.
    """
    return await surveyed("payment_token", _anew, renew=renew)


async def surveyed(column: str, anew: Callable[[str, str], str | None], *, renew: bool) -> Standing:
    """The same of any column of orders that is encrypted. `anew` takes what is stored and the order's id, and gives the same
    under the first key, `None` if it is; it raises `Undecipherable`."""
    current, older, unreadable = 0, 0, []
    place = ""
    while rows := await database.fetch(_PAGE.format(column=column), place, PAGE):
        for row in rows:
            try:
                renewed = anew(row["stored"], row["id"])
            except Undecipherable:
                unreadable.append(row["id"])
                continue
            if renewed is None:
                current += 1
                continue
            older += 1
            if renew:
                await database.execute(_RENEW.format(column=column), row["id"], row["stored"], renewed)
        place = rows[-1]["id"]
    return Standing(current=current, older=older, unreadable=tuple(unreadable))


def _anew(stored: str, order_id: str) -> str | None:
    token = unseal(stored, order_id=order_id)
    return seal(token, order_id=order_id) if _needs_renewal(stored, order_id) else None


async def seal_what_is_open() -> None:
    """Encrypt what an earlier release left open; nothing to do is one look at a small index."""
    for row in await database.fetch(_OPEN):
        token = unseal(row["payment_token"], order_id=row["id"])
        await database.execute(
            _RENEW.format(column="payment_token"), row["id"], row["payment_token"], seal(token, order_id=row["id"])
        )


def _needs_renewal(stored: str, order_id: str) -> bool:
    return stored.startswith(PLAIN) or vault().needs_renewal(_ciphertext(stored, order_id))


def _ciphertext(stored: str, order_id: str) -> bytes:
    try:
        return base64.b64decode(stored.removeprefix(SEALED), validate=True)
    except binascii.Error as error:
        raise Undecipherable(f"the {_purpose(order_id)} is damaged") from error


def _purpose(order_id: str) -> str:
    return f"payment token of {order_id}"


_PAGE: Final = """
SELECT id, {column} AS stored FROM payment_orders WHERE {column} IS NOT NULL AND id > $1 ORDER BY id LIMIT $2
"""

_OPEN: Final = f"""
SELECT id, payment_token FROM payment_orders WHERE payment_token IS NOT NULL AND payment_token LIKE '{PLAIN}%'
"""  # noqa: S608 - a constant of this module

_RENEW: Final = "UPDATE payment_orders SET {column} = $3 WHERE id = $1 AND {column} = $2"
