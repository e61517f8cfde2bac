"""A short soak, so that every run of the tests has one: `python -m tests.soak` plays as many orders as one likes."""

from __future__ import annotations

from pathlib import Path

from tests.soak.playing import Soak

DEALS = 3


async def test_nothing_is_lost_nothing_doubled_and_both_books_say_the_same_when_it_is_quiet(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    figures = await Soak(database, redis_url, tmp_path).run(DEALS, a_round=DEALS)
    assert figures.violations == 0
    assert figures.quiet_moments == 1
    assert sum(figures.orders.values()) > DEALS
    assert figures.kills > 0
    assert sum(figures.faults.values()) > 0
