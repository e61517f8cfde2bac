"""What is reckoned of shards: the hash spreads identifiers made in a row, and a hot contract weighs on its shard."""

from __future__ import annotations

import pytest

from tests.benchmarks.shards import SHARDS, balance, fullest, hot_shard


@pytest.mark.usefixtures("database")
async def test_identifiers_made_one_after_the_other_are_spread() -> None:
    found = await balance(32_000, seed=1)
    assert sum(found.contracts) == 32_000
    assert len(found.contracts) == SHARDS
    assert fullest(found.contracts) < 1.25  # a thousand each; eight times its deviation away from a mean shard
    assert sum(found.events) > 32_000 * 8


def test_a_shard_bears_what_its_hot_contract_is_asked() -> None:
    assert hot_shard(0.0, 1.0) == 1.0
    assert hot_shard(1 / SHARDS, 1.0) == pytest.approx(2 - 1 / SHARDS)
    assert hot_shard(1.0, 1.0) == SHARDS
    assert fullest([1, 1, 2]) == 1.5
