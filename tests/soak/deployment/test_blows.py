"""What blows leave behind that a judge needs: offers that a clock which is ahead would end too early."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import cast

import pytest

from tests.soak.deployment.blows import Blows
from tests.soak.deployment.deals import Crowd
from tests.soak.deployment.processes import WEBS, WORKERS, House
from tests.soak.deployment.watching import Watch


@dataclass(slots=True)
class Waiting:
    """Notes for how long offers stand that nobody answers."""

    hours: list[int] = field(default_factory=list)

    async def wait(self, hours: int) -> None:
        self.hours.append(hours)


@dataclass(slots=True)
class Started:
    """Notes by how many days the clocks of the processes are wrong that are started."""

    days: list[int] = field(default_factory=list)

    async def begin(self, name: str, *, skew_days: int) -> None:
        self.days.append(skew_days)


@pytest.mark.parametrize("hours_passed", [0, 3, 21, 24, 45, 300])
async def test_whoever_works_by_a_clock_that_is_ahead_has_an_offer_that_it_would_end_too_early(
    hours_passed: int,
) -> None:
    crowd, house = Waiting(), Started()
    blows = Blows(cast("House", house), cast("Crowd", crowd), cast("Watch", None), random.Random(1), every=1)
    blows.hours_passed = hours_passed
    for _ in range(50):
        await blows._begin(WORKERS[0], is_ahead=True)
    assert len(crowd.hours) == 50
    for hours, days in zip(crowd.hours, house.days, strict=True):
        assert 0 < hours_passed + hours < 24 * days, "it ends by that clock, and not by the time that has passed"
    await blows._begin(WEBS[0], is_ahead=True)
    assert len(crowd.hours) == 50
