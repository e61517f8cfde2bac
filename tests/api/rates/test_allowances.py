"""A client uses what its rate grants and no more, whichever processes it talks to, with Redis and without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.rates import allowances, shared_buckets
from api.rates.allowances import Allowances
from api.rates.shared_buckets import Away, Rate, SharedBuckets

STINGY = Rate(capacity=1_000, restored=0.001)
"""Gives back one point in a quarter of an hour: nothing comes back while a test lasts."""

NOBODY = "redis://127.0.0.1:1"


class Counted(SharedBuckets):
    """Buckets that count how often they are asked."""

    asked = 0

    async def take(self, client: str, rate: Rate, *, least: float, most: float) -> tuple[float, float]:
        self.asked += 1
        return await super().take(client, rate, least=least, most=most)


class Flaky(SharedBuckets):
    """Buckets that go away and come back as a test says."""

    is_away = False

    async def take(self, client: str, rate: Rate, *, least: float, most: float) -> tuple[float, float]:
        if self.is_away:
            raise Away
        return await super().take(client, rate, least=least, most=most)


class Greedy(SharedBuckets):
    """Buckets whose client goes on using what it has while Redis is asked."""

    used_meanwhile = 100.0
    times = 3

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.process = Allowances(self)

    async def take(self, client: str, rate: Rate, *, least: float, most: float) -> tuple[float, float]:
        answer = await super().take(client, rate, least=least, most=most)
        if self.times:
            self.times -= 1
            self.process.charge(client, self.used_meanwhile, rate)
        return answer


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a crowded machine Redis may take its time; whoever isn't there refuses at once."""
    monkeypatch.setattr(shared_buckets, "ANSWER_SECONDS", 60.0)


@pytest_asyncio.fixture(loop_scope="session")
async def shared(redis_url: str) -> AsyncIterator[Counted]:
    buckets = Counted(redis_url)
    yield buckets
    await buckets.close()


async def _spent(process: Allowances, points: int, times: int, rate: Rate = STINGY) -> int:
    granted = [await process.spend("key_1", points, rate) for _ in range(times)]
    return sum(points for balance in granted if not balance.is_refused)


async def test_all_of_the_capacity_can_be_used_at_once_and_not_a_point_more(shared: Counted) -> None:
    assert await _spent(Allowances(shared), 7, 200) == 994  # 142 times 7


async def test_processes_share_one_bucket_whoever_is_asked_at_once(shared: Counted) -> None:
    processes = [Allowances(shared) for _ in range(4)]
    spent = await asyncio.gather(*(_spent(process, 1, 400) for process in processes))
    assert 960 <= sum(spent) <= 1_000  # a handful may lie unused in a process
    assert all(spent)


async def test_requests_at_once_of_one_process_ask_once_between_them(shared: Counted) -> None:
    process = Allowances(shared)
    await asyncio.gather(*(process.spend("key_1", 1, STINGY) for _ in range(20)))
    assert shared.asked == 1


async def test_what_is_used_while_redis_is_asked_refuses_nobody_who_has_enough(redis_url: str) -> None:
    buckets = Greedy(redis_url)
    balance = await buckets.process.spend("key_1", 600, STINGY)
    await buckets.close()
    assert not balance.is_refused, balance
    assert balance.available == pytest.approx(100, abs=0.01)


async def test_what_is_used_while_redis_is_asked_counts(redis_url: str) -> None:
    buckets = Greedy(redis_url)
    buckets.used_meanwhile = 300.0
    balance = await buckets.process.spend("key_1", 600, STINGY)
    await buckets.close()
    assert balance.is_refused


async def test_a_fraction_of_a_point_refuses_nobody(shared: Counted) -> None:
    process = Allowances(shared)
    for points in (33.3333, 77.77777, 101.0001):
        assert not (await process.spend("key_1", points, STINGY)).is_refused


async def test_most_requests_ask_nobody(shared: Counted) -> None:
    assert await _spent(Allowances(shared), 1, 1_000) == 1_000
    assert shared.asked == 50


async def test_a_refusal_says_when_it_would_be_granted(shared: Counted) -> None:
    process, rate = Allowances(shared), Rate(capacity=100, restored=0.005)
    await process.spend("key_1", 100, rate)
    refused = await process.spend("key_1", 10, rate)
    assert refused.retry_after_seconds == pytest.approx(2_000, abs=100)
    assert refused.available < 1


async def test_clients_have_buckets_of_their_own(shared: Counted) -> None:
    process = Allowances(shared)
    await process.spend("key_1", 1_000, STINGY)
    assert (await process.spend("key_1", 1, STINGY)).is_refused
    assert not (await process.spend("key_2", 1_000, STINGY)).is_refused


async def test_what_turns_out_dearer_is_made_up_for_later(shared: Counted) -> None:
    process = Allowances(shared)
    await process.spend("key_1", 10, STINGY)
    process.charge("key_1", 900, STINGY)
    assert (await process.spend("key_1", 100, STINGY)).is_refused
    assert not (await process.spend("key_1", 90, STINGY)).is_refused


@pytest.mark.parametrize("url", [None, NOBODY])
async def test_without_redis_a_process_counts_by_itself(url: str | None) -> None:
    now = 100.0
    buckets = SharedBuckets(url) if url is not None else None
    process = Allowances(buckets, clock=lambda: now)
    rate = Rate(capacity=100, restored=10)
    assert not (await process.spend("key_1", 100, rate)).is_refused
    refused = await process.spend("key_1", 20, rate)
    assert refused.retry_after_seconds == pytest.approx(2)
    now += 2
    assert not (await process.spend("key_1", 20, rate)).is_refused
    now += 3_600
    assert (await process.spend("key_1", 101, rate)).is_refused  # it holds no more, however long nobody asked
    if buckets is not None:
        await buckets.close()


async def test_a_redis_that_goes_away_grants_nothing_twice_in_a_process(redis_url: str) -> None:
    buckets = Flaky(redis_url)
    process = Allowances(buckets)
    assert await _spent(process, 1, 600) == 600
    buckets.is_away = True
    assert await _spent(process, 1, 600) == 400
    buckets.is_away = False
    other = Allowances(buckets)
    assert await _spent(other, 1, 600) == 400
    await buckets.close()


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_debt_of_more_than_a_bucket_holds_is_paid_off_in_time(
    shared: Counted, is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that whoever owes more than a full bucket would be refused for ever."""
    now = 100.0
    process, rate = Allowances(shared if is_shared else None, clock=lambda: now), Rate(capacity=100, restored=1e6)
    await process.spend("key_1", 1, rate)
    process.charge("key_1", 1_000, rate)
    tries = 0
    while (await process.spend("key_1", 1, rate)).is_refused:
        tries += 1
        assert tries < 100
        now += allowances.SETTLE_SECONDS
        if process._settling:
            await asyncio.gather(*process._settling)
    assert tries >= (5 if is_shared else 1)  # a bucket at a time


async def test_a_debtor_who_asks_again_and_again_makes_nobody_ask_redis(shared: Counted) -> None:
    now = 100.0
    process = Allowances(shared, clock=lambda: now)
    await process.spend("key_1", 1, STINGY)
    process.charge("key_1", 5_000, STINGY)
    await asyncio.gather(*process._settling)
    asked = shared.asked
    for _ in range(50):
        assert (await process.spend("key_1", 1, STINGY)).is_refused
        process.charge("key_1", 1, STINGY)
    assert shared.asked == asked


async def test_only_so_many_clients_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowances, "CLIENTS_KEPT_MAX", 10)
    process = Allowances(None)
    for number in range(100):
        await process.spend(f"address {number}", 1, STINGY)
    assert len(process._clients) == 10
