"""`earnest audit` and `earnest erase` as an operator starts them."""

from __future__ import annotations

import argparse
import base64
import os
from datetime import datetime
from pathlib import Path

import pytest

from earnest.commands import reconcile
from earnest.run.refusing import CannotStart
from escrow import ids, log
from escrow.database import execute
from escrow.ids import Kind
from escrow.money import Money
from escrow.payments import leases
from escrow.payments.calls import ChargeRequest, Step, key_of
from escrow.payments.reconciliation import standing
from escrow.payments.results import Prepared, ProviderError
from escrow.payments.sandbox import Sandbox
from tests.earnest.commanding import commanded
from tests.escrow.payments.losing import cut
from tests.escrow.payments.stage import strike
from tests.factories import Deployment


async def earnest(database_url: str, redis_url: str, *arguments: str) -> tuple[int, str, str]:
    """The exit code of a command, and what it said on its two outputs."""
    environ = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "EARNEST_SECRET_KEYS": base64.urlsafe_b64encode(bytes(range(32))).decode(),
        "EARNEST_SANDBOX": "on",
        "EARNEST_PAYMENT_PROVIDER": "sandbox",
    }
    return await commanded(*arguments, environ=environ)


async def test_audit_exits_with_zero_on_whole_books_and_with_one_naming_what_differs(
    database: str, redis_url: str
) -> None:
    there = await Deployment.make()
    deal = await there.fund()
    await deal.approve()
    code, said, complaints = await earnest(database, redis_url, "audit")
    assert (code, complaints) == (0, "")
    assert said.startswith("No differences")
    await execute("UPDATE balances SET balance_minor = balance_minor + 1 WHERE account LIKE 'payable:%'")
    code, said, complaints = await earnest(database, redis_url, "audit")
    assert (code, complaints) == (1, "")
    assert f"payable:{deal.id}:freelancer USD: balance by the transfers: expected 22500, found 22501" in said
    assert said.splitlines()[-1] == "3 differences."


async def test_an_audit_of_a_place_with_nothing_in_it_is_refused_and_finds_nothing(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    await (await Deployment.make()).fund()
    while await log.sequence():
        pass
    place, missing, empty, file = (tmp_path / name for name in ("place", "missing", "empty", "file"))
    empty.mkdir()
    file.touch()
    code, said, _ = await earnest(database, redis_url, "audit", "--archive", str(missing))
    assert (code, f"lists no file of an archive: nothing in {missing} was compared." in said) == (0, True)
    code, *_ = await earnest(database, redis_url, "archive", str(place), "--before", "2100-01-01", "--only-log")
    assert code == 0
    for wrong, words in (
        (missing, f"nothing lies in {missing}, where the archive should be: is it mounted?"),
        (empty, f"nothing lies in {empty}, where the archive should be: is it mounted?"),
        (file, f"{file} can't be listed: Not a directory"),
    ):
        refused = await earnest(database, redis_url, "audit", "--archive", str(wrong))
        assert refused == (2, "", f"earnest: {words}\n")
    for found in (place / "log").iterdir():
        found.rename(place / found.name)
    code, said, _ = await earnest(database, redis_url, "audit", "--archive", str(place))
    assert (code, "can't be read: No such file" in said) == (1, True), "one that is missing is found"


async def test_reconcile_exits_with_one_naming_each_sum_that_differs_at_the_provider(
    database: str, redis_url: str
) -> None:
    there = await Deployment.make()
    code, said, complaints = await earnest(database, redis_url, "reconcile")
    assert (code, complaints) == (0, "")
    assert said.startswith("No differences")
    deal = await there.fund()
    code, said, complaints = await earnest(database, redis_url, "reconcile", "--since", "2026-01-01")
    assert (code, complaints) == (1, "")
    assert said.splitlines() == [
        "balance in USD: 0.00 USD at the provider, 256.25 USD in the ledger",
        f"contract {deal.id}: 0.00 USD at the provider, 256.25 USD in the ledger",
        "2 differences.",
    ]
    await deal.approve()
    await deal.pay_out()
    assert await leases.claim(10, provider="sandbox"), "a payout is on its way once a worker began to call for it"
    code, said, complaints = await earnest(database, redis_url, "reconcile")
    mark = " (from before: it can't be judged while money of it is on its way)"
    assert (code, complaints) == (1, ""), "what can't be judged any more still differs"
    assert said.splitlines() == [
        f"contract {deal.id}: 0.00 USD at the provider, 256.25 USD in the ledger{mark}",
        "1 differences.",
    ]


def test_reconcile_says_in_a_line_that_the_providers_books_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async def count(_: datetime | None) -> int:
        raise ProviderError("the key is one of account acct_2")

    monkeypatch.setattr(reconcile, "count", count)
    with pytest.raises(CannotStart, match="the provider's books can't be read: the key is one of account acct_2"):
        reconcile.run(argparse.Namespace(since=None))


async def test_reconcile_names_the_money_of_lost_orders_until_restore_is_told_that_it_is_settled(
    database: str, redis_url: str
) -> None:
    deal, gone = await strike("100.00"), ids.new(Kind.ORDER)
    sandbox = Sandbox(settle_seconds=0.0)
    request = ChargeRequest(
        key=key_of(gone, 1, Step.PREPARE),
        order_id=gone,
        group=deal.id,
        amount=Money(100_00, "USD"),
        token=None,
        client_id=str(deal.client_id),
    )
    prepared = await sandbox.prepare(request)
    assert isinstance(prepared, Prepared)
    await sandbox.confirm(prepared.provider_id, request)
    await execute("UPDATE sandbox_charges SET settles_at = settles_at - interval '1 minute'")
    await cut()
    code, said, complaints = await earnest(database, redis_url, "reconcile")
    assert (code, complaints) == (1, "")
    balance, contract, order, count = said.splitlines()
    assert balance == "balance in USD: 100.00 USD at the provider, 0.00 USD in the ledger"
    assert contract == f"contract {deal.id}: 100.00 USD at the provider, 0.00 USD in the ledger", "though it just moved"
    assert order.startswith(f"lost order {gone} of {deal.id}: charge of 100.00 USD at ")
    assert order.endswith(f"`earnest restore --settle {gone}` says so")
    assert count == "3 differences."
    assert (await standing()).differences == 3
    code, said, complaints = await earnest(database, redis_url, "restore", "--settle", gone)
    assert (code, complaints) == (0, ""), said
    await execute("UPDATE provider_movements SET at = at - interval '1 hour'")  # what moved just now can't be judged
    code, said, complaints = await earnest(database, redis_url, "reconcile")
    assert (code, complaints) == (0, ""), said
    assert (await standing()).differences == 0


async def test_erase_says_how_many_texts_went_and_refuses_what_is_not_there(database: str, redis_url: str) -> None:
    there = await Deployment.make()
    deal = await there.propose("1.00")
    code, said, _ = await earnest(database, redis_url, "erase", deal.id)
    assert (code, said) == (0, "6 texts erased.\n")
    code, said, _ = await earnest(database, redis_url, "erase", deal.id)
    assert (code, said) == (0, "There was nothing left to erase.\n")
    nobody = ids.new(Kind.CONTRACT)
    code, said, complaints = await earnest(database, redis_url, "erase", nobody)
    assert (code, said, complaints) == (2, "", f"earnest: There is no contract {nobody}.\n")
    code, _, complaints = await earnest(database, redis_url, "erase", deal.id, "--event", "evt_0")
    assert (code, complaints) == (2, "earnest: The contract has no event evt_0.\n")
    assert (await earnest(database, redis_url, "audit"))[0] == 0
