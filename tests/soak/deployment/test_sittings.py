"""Sittings on the same books: each takes up what the last one left, and none goes on from one that didn't end well."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from escrow.pipeline import run
from tests.factories import Deployment
from tests.soak.deployment.sittings import Sittings, Unfinished
from tests.soak.deployment.tallies import Figures
from tests.stand_ins.stripe.books import Books


def test_a_sitting_takes_up_the_providers_books_and_all_of_them_are_told_together(tmp_path: Path) -> None:
    sittings = Sittings(tmp_path / "stays")
    for number in (1, 2):
        assert sittings.begin() == tmp_path / "stays" / f"sitting-{number}"
        books = Books()
        sittings.take_up(books)
        assert len(books.of("balance_transaction")) == number - 1
        books.move("", "charge", 100, "usd", source=f"ch_{number}")
        figures = Figures(seconds=60, counts=Counter({"contracts": 7}), blows=Counter(kills=1), found={"texts": 20})
        sittings.end(f"play {number}", figures, books)
    assert sittings.lines() == [
        "2 sittings on the same books:",
        "play 1",
        "play 2",
        "People, in 120 s, and 0 s until it was quiet:",
        "       14 contracts",
        "Blows:",
        "        2 kills",
        "Right, all of them:",
        "       40 texts",
    ]


def test_nothing_goes_on_from_a_sitting_that_did_not_end_well(tmp_path: Path) -> None:
    sittings = Sittings(tmp_path)
    sittings.end("play", Figures(), Books())
    sittings.begin()
    with pytest.raises(Unfinished, match="sitting-2 was broken off or went wrong"):
        sittings.begin()


async def test_people_of_a_later_sitting_are_others_on_the_same_deployment(database: str) -> None:
    first = await Deployment.make()
    second = await Deployment.beside()
    assert second.operator.account_id == first.operator.account_id
    assert second.client.account_id != first.client.account_id
    await run(second.proposal("10.00"), by=second.client)
