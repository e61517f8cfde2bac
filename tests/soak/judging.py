"""Judges a soak at a quiet moment: both books to the cent, nothing doubled, nothing lost; and keeps what shows why not."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Final

from escrow.audit import audit
from escrow.audit.contracts import audit_contracts
from escrow.database import Record, fetch, fetch_value, transaction
from escrow.payments import reconciliation
from escrow.payments.book_differences import BookDifference
from escrow.payments.results import ProviderError
from escrow.payments.stripe.adapter import Stripe
from tests.soak.complaints import complaints, is_providers, is_slow
from tests.stand_ins.stripe import keeping
from tests.stand_ins.stripe.books import PLATFORM, Books, Json
from tests.stand_ins.stripe.serving import Playing

AT_ANY_TIME: Final = timedelta(days=-1_000)
"""The stand-in's clock runs ahead of ours: no movement is too new to be judged."""

NOTHING_JUDGED: Final = timedelta(days=36_500)
"""Only the balance is, and what its movements come to."""

SHOWN_MAX: Final = 20
READ_TIMES_MAX: Final = 20
AUDITED_AT_ONCE: Final = 100


class Wrong(AssertionError):
    """The books don't agree, or money moved twice or not at all; the message says where."""


async def judge(stand_in: Playing, provider: Stripe, *, audited_until: str = "") -> None:
    """Everything is quiet. What was audited, with everything else, when that was the newest order isn't audited again.

    Raises `Wrong`.
    """
    differences = await reconciled(provider, AT_ANY_TIME)
    clearing, found = await fetch_value(_CLEARING), stand_in.platform_has()
    wrong = [str(one) for one in differences]
    if found != clearing:
        wrong.append(f"the provider has {found}, the ledger says {clearing}")
    wrong += await moved_otherwise(stand_in.books)
    wrong += await differences_since(audited_until) if audited_until else [str(one) async for one in audit()]
    wrong += stand_in.violations
    if wrong:
        raise Wrong("\n".join(wrong[:SHOWN_MAX]))


def judge_logs(folder: Path) -> None:
    """No worker failed by a fault of ours, also if it did better the next time; no engine is ever away here. Raises `Wrong`."""
    logs = sorted(folder.glob("worker-*.log"))
    faults = (one for log in logs for one in complaints(log) if not (is_providers(one) or is_slow(one)))
    if shown := [f"a fault of ours: {one}" for one in islice(faults, SHOWN_MAX)]:
        raise Wrong("\n".join(shown))


async def differences_since(order_id: str) -> list[str]:
    """What the audit finds in the contracts that had an order since that one."""
    rows = await fetch("SELECT DISTINCT contract_id FROM payment_orders WHERE id > $1 ORDER BY contract_id", order_id)
    wrong: list[str] = []
    for some in batched((row["contract_id"] for row in rows), AUDITED_AT_ONCE):
        async with transaction(snapshot=True):
            wrong += [str(one) for one in await audit_contracts(some)]
    return wrong


async def look_between(provider: Stripe) -> None:
    """Money is on its way; the balance must be what its movements come to all the same. Raises `Wrong`."""
    differences = await reconciled(provider, NOTHING_JUDGED)
    if differences:
        raise Wrong("while money moved: " + "\n".join(str(one) for one in differences[:SHOWN_MAX]))


async def reconciled(provider: Stripe, settling: timedelta) -> Sequence[BookDifference]:
    """What differs. Reading the provider's books goes wrong as everything else does; it is tried until it doesn't."""
    for _ in range(READ_TIMES_MAX):
        with contextlib.suppress(ProviderError):
            return (await reconciliation.reconcile(provider, settling=settling)).found
    raise Wrong("the provider's books could not be read")


async def moved_otherwise(books: Books) -> list[str]:
    """The orders for which the provider moved money oftener or seldomer than we say, those that we don't know, and what payees
    keep."""
    made, reached = _made(books), _reached_a_bank(books)
    rows = await fetch("SELECT id, kind, state, is_stuck FROM payment_orders")
    wrong = []
    for row in rows:
        name = f"order {row['id']} {row['kind']} {row['state']}{', stuck' if row['is_stuck'] else ''}"
        if made[row["id"]] not in _expected(row):
            wrong.append(f"{name}: moved {made[row['id']]} times")
        if row["kind"] == "PAYOUT" and reached[row["id"]] not in _expected(row):
            wrong.append(f"{name}: reached a bank {reached[row['id']]} times")
    strange = (made + reached).keys() - {row["id"] for row in rows}
    wrong += [f"{one} is no order of ours, and money moved for it" for one in sorted(strange)]
    return wrong + _kept_by_payees(books)


def _expected(row: Record) -> tuple[int, ...]:
    """How often money may have moved for an order that nobody works on. A charge that came too late was sent back by another."""
    if row["kind"] == "DEPOSIT":
        return (1,) if row["state"] == "PAID" else (0, 1)
    return (1,) if row["state"] == "PAID" else (0,)


def _made(books: Books) -> Counter[str]:
    """How often money has moved for each order and stayed moved; a payout's to the payee's account at the provider."""
    made: Counter[str] = Counter()
    for one in books.of("charge").values():
        made[_order(one)] += one["paid"]
    for one in books.of("refund").values():
        made[_order(one)] += one["status"] not in ("failed", "canceled")
    for one in books.of("transfer").values():
        made[_order(one)] += not one["reversed"]
    return made


def _reached_a_bank(books: Books) -> Counter[str]:
    """How often money was sent to a payee's bank for each order, and didn't come back."""
    payouts = (one for account in _payees(books) for one in books.of("payout", account).values())
    return Counter(_order(one) for one in payouts if one["status"] not in ("failed", "canceled"))


def _kept_by_payees(books: Books) -> list[str]:
    """What lies at the provider between a transfer and a payout: nothing, when nobody works on any order."""
    kept = ((account, currency, sum(books.balance(account, currency))) for account, currency in _purses(books))
    return [f"payee {account} keeps {minor} {currency}" for account, currency, minor in kept if minor]


def _payees(books: Books) -> list[str]:
    return [account for account in books.drawers if account != PLATFORM]


def _purses(books: Books) -> list[tuple[str, str]]:
    return [(account, currency) for account in _payees(books) for currency in books.currencies(account)]


def _order(thing: Json) -> str:
    return str(thing["metadata"].get("order"))


def batched(things: Iterable[str], size: int) -> Iterator[list[str]]:
    """These things, so many at once."""
    left = iter(things)
    while some := list(islice(left, size)):
        yield some


async def keep_evidence(folder: Path, books: Books) -> Path:
    """Everything that somebody needs who wants to see why, in files of a folder; gives the folder."""
    keeping.save(books, folder / "stripe.json")
    tables = ("payment_orders", "provider_calls", "provider_movements", "transfers", "events", "deposits", "contracts")
    for table in tables:
        rows = await fetch(f"SELECT to_jsonb(one)::text AS one FROM {table} AS one")
        text = "\n".join(row["one"] for row in rows)
        await asyncio.to_thread((folder / f"{table}.jsonl").write_text, text)
    (folder / "tables.json").write_text(json.dumps(tables))
    return folder


_CLEARING: Final = """
    SELECT coalesce(sum(CASE WHEN debit = 'clearing:USD' THEN amount_minor ELSE -amount_minor END), 0)::bigint
    FROM transfers WHERE 'clearing:USD' IN (debit, credit)
"""
