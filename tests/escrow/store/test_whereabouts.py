"""What a process remembers of which contract a part belongs to: what it was led to, no more, and never too much."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from escrow import database, ids
from escrow.idempotency import idempotency
from escrow.ids import Kind
from escrow.pipeline import run
from escrow.store import read, whereabouts
from escrow.store.read import Subject, load
from tests.factories import Deployment


@pytest.mark.usefixtures("database")
async def test_what_was_led_to_once_is_named_the_next_time() -> None:
    deal = await (await Deployment.make()).propose("1.00", "2.00")
    subject = Subject(milestone_id=deal.milestone(2))
    for statement in (read._LOADS[read._Named.WAY, False], read._LOADS[read._Named.CONTRACT, False]):
        with database.counting() as sent:
            loaded = await load(subject)
        assert sent == [statement]
        assert loaded.state is not None
        assert loaded.state.id == deal.id


@pytest.mark.usefixtures("database")
async def test_what_is_not_there_or_not_seen_is_not_remembered() -> None:
    there = await Deployment.make()
    deal = await there.propose("1.00")
    subject = Subject(milestone_id=deal.milestone())
    assert (await load(Subject(milestone_id=ids.new(Kind.MILESTONE)))).state is None
    assert (await load(subject, account_id=there.mediator.account_id, sees_all=False)).state is None
    assert whereabouts.contract_of(deal.milestone()) is None
    await load(subject)
    assert (await load(subject, account_id=there.mediator.account_id, sees_all=False)).state is None


@pytest.mark.usefixtures("database")
async def test_where_an_idempotency_key_led_to_is_not_what_was_asked_about() -> None:
    there = await Deployment.make()
    deal = await there.propose("1.00")
    await run(deal.update(), by=deal.client, idempotency=idempotency("once", operation="postUpdate", given={}))
    for unknown in (ids.new(Kind.MILESTONE), ""):
        found = await load(Subject(milestone_id=unknown), account_id=deal.client.account_id, key="once")
        assert found.state is not None
        assert whereabouts.contract_of(unknown) is None


def test_threads_that_ask_at_once_stand_in_each_others_way_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "KNOWN_MAX", 50)

    def ask(first: int) -> None:
        for number in range(first, first + 20_000):
            whereabouts.remember(f"mil_{number}", "ctr_1")
            whereabouts.contract_of(f"mil_{number - 25}")

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as threads:
            assert list(threads.map(ask, (0, 1_000_000))) == [None, None]
    finally:
        sys.setswitchinterval(usual)
        whereabouts.forget()


def test_only_one_way_leads_to_what_is_remembered() -> None:
    assert Subject(milestone_id="mil_1", client_id="acc_1").way == "mil_1"
    assert Subject(milestone_id="mil_1", deposit_id="dep_1").way is None
    assert Subject(contract_id="ctr_1", milestone_id="mil_1").way is None
    assert Subject(client_id="acc_1", freelancer_id="acc_2").way is None
    whereabouts.remember(None, "ctr_1")
    whereabouts.remember("mil_1", None)
    assert (whereabouts.contract_of(None), whereabouts.contract_of("mil_1")) == (None, None)


def test_what_nobody_asked_about_for_longest_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "KNOWN_MAX", 2)
    for number in (1, 2):
        whereabouts.remember(f"pay_{number}", f"ctr_{number}")
    assert whereabouts.contract_of("pay_1") == "ctr_1"
    whereabouts.remember("pay_3", "ctr_3")
    assert [whereabouts.contract_of(f"pay_{number}") for number in (1, 2, 3)] == ["ctr_1", None, "ctr_3"]


@pytest.mark.usefixtures("database")
async def test_a_part_is_looked_for_only_if_it_is_named() -> None:
    deal = await (await Deployment.make()).fund("1.00")
    (deposit_id,) = deal.deposits
    named = Subject(contract_id=deal.id, deposit_id=deposit_id)
    for subject, what, found in (
        (Subject(contract_id=deal.id), read._Named.CONTRACT, set()),
        (named, read._Named.CONTRACT_AND_PART, {deposit_id}),
    ):
        with database.counting() as sent:
            state = (await load(subject)).state
        assert sent == [read._LOADS[what, False]]
        assert state is not None
        assert set(state.deposits) == found  # it is confirmed: nothing but its name leads to it
