"""A short soak of the connectors, in every run of the tests: `python -m tests.soak connectors` plays as long as one likes."""

from __future__ import annotations

from pathlib import Path

from tests.soak.coupling import CouplingSoak, differences


async def test_all_sides_say_the_same_in_the_end_whatever_was_lost_doubled_or_killed(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    soak = CouplingSoak(database, redis_url, tmp_path, contracts=2, milestones=8)
    figures = await soak.run(seconds=6.0, kills=2, changes_per_second=5.0)
    assert figures.kills == 2
    assert figures.vain == figures.transfers == 0
    assert sum(figures.changes.values()) > 0
    assert figures.to_earnest + figures.to_hub + figures.to_trac > 0
    project = soak.hubs["c0"]
    project.make("Somebody's", "own", "2031-01-01")
    assert differences([], project), "the judge sees what differs"
