"""A short soak of the whole deployment in every run of the tests: `make soak` plays as many commands as one likes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak.deployment import blows
from tests.soak.deployment.playing import Asked, Soak

COMMANDS = 250


async def test_nothing_is_lost_nothing_comes_twice_and_everybody_hears_everything_whatever_is_killed(
    own_folder: Path,
) -> None:
    figures = await Soak(Asked(commands=COMMANDS, seed=3, blow_every=15, disk_mb=None), own_folder).run()
    assert figures.counts["commands accepted"] > COMMANDS // 2
    assert figures.counts["commands refused"] > 0
    assert figures.counts["answers lost"] > 0
    assert all(figures.blows[name] for name in blows.USUAL), figures.blows
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
