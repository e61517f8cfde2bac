"""A short soak of the whole deployment in every run of the tests: `make soak` plays as many commands as one likes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chance import often
from tests.soak.deployment import blows
from tests.soak.deployment.playing import Asked, Soak
from tests.soak.deployment.sittings import Sittings
from tests.soak.deployment.tallies import Figures

COMMANDS = often(150, deep=10_000)
BLOW_EVERY = often(10, deep=100)
SITTINGS = often(1, deep=2)
SEED = 3


def test_the_same_seed_draws_the_same_for_each_part_whatever_the_others_draw() -> None:
    one, same, another = (Asked(seed=seed) for seed in (7, 7, 8))
    for _ in range(10):
        one.chance("pauses").random()
    assert one.chance("blows").random() == same.chance("blows").random() != another.chance("blows").random()
    assert one.chance("blows").random() != one.chance("pauses").random()
    assert "--seed 7 " in one.command


async def test_nothing_is_lost_nothing_comes_twice_and_everybody_hears_everything_whatever_is_killed(
    own_folder: Path, request: pytest.FixtureRequest
) -> None:
    """`--shuffle 7` plays another one for each number, too; what went wrong says how it is played again."""
    seed = SEED + int(request.config.getoption("--shuffle") or 0)
    asked = Asked(commands=COMMANDS, seed=seed, blow_every=BLOW_EVERY)
    print(asked.command)  # pytest shows it if it goes wrong
    sittings = Sittings(own_folder)
    for _ in range(SITTINGS):
        figures = await Soak(asked, sittings.begin(), sittings=sittings).run()
        judge(figures)


def judge(figures: Figures) -> None:
    """People met what they were to meet, and all verdicts were given."""
    assert figures.counts["commands accepted"] > COMMANDS // 2
    assert figures.counts["commands refused"] > 0
    assert figures.counts["answers lost"] > 0
    assert all(figures.blows[name] for name in (*blows.USUAL, blows.REACHED)), figures.blows
    assert figures.left_out, "a disk that is full is for the long run"
    assert all(figures.found.values()), figures.found


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """Not below pytest's: each pytest that starts shuts that one to other users, and as root PostgreSQL runs as one.

    A server that starts anew after a session of it was killed finds its data only while it may pass.
    """
    with tempfile.TemporaryDirectory(prefix="earnest-soak-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        yield folder
