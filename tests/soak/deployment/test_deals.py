"""What people do in the soak ends, whatever the deployment does to them."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any, cast

import pytest

from escrow.access import Actor
from tests.soak.deployment import deals
from tests.soak.deployment.asking import Api, Person, Unanswered
from tests.soak.deployment.deals import Crowd, Deal


class NothingComes:
    """A deployment that has lost a deposit: the milestone stays as it is."""

    async def ask(self, *_: object) -> tuple[Mapping[str, Any], float]:
        milestones = [{"state": "PLANNED"}]
        contract = {"state": "ACTIVE", "version": 3, "milestones": milestones, "updates": {"nodes": []}}
        return {"contract": contract}, time.monotonic()


async def test_money_that_never_comes_ends_the_soak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deals, "LOOK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(deals, "MONEY_SECONDS_MAX", 0.01)
    nobody = Person(cast("Actor", None), "")
    crowd = Crowd(cast("Api", NothingComes()), nobody, nobody, "run", seed=1)
    with pytest.raises(Unanswered, match="the money of milestone 0 of ctr_1 never came"):
        await crowd._until_active(Deal("ctr_1", ["mil_1"], random.Random(1)), 0)
