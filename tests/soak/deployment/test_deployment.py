"""A short soak of the whole deployment in every run of the tests: `make soak` plays as many commands as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.deployment import blows
from tests.soak.deployment.playing import Asked, Soak

COMMANDS = 250


async def test_nothing_is_lost_nothing_comes_twice_and_everybody_hears_everything_whatever_is_killed(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("soak")
    reachable(folder)
    figures = await Soak(Asked(commands=COMMANDS, seed=3, blow_every=15, disk_mb=None), folder).run()
    assert figures.counts["commands accepted"] > COMMANDS // 2
    assert figures.counts["commands refused"] > 0
    assert figures.counts["answers lost"] > 0
    assert all(figures.blows[name] for name in blows.USUAL), figures.blows
    assert figures.left_out, "a disk that is full is for the long run"
    assert all(figures.found.values()), figures.found


def reachable(folder: Path) -> None:
    """As root, PostgreSQL runs as another user and must be able to pass."""
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
