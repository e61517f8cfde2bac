"""Held money always gets out: from whatever three milestones can come to, without the other side's help and against its worst."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import cache
from typing import Final

import pytest

from escrow.access import Side
from escrow.states import CLOSED, HELD, DisputeState, Hold
from tests.escrow.agreement.worst import Scene, Shape, Siege, beginning, reachable

PLACES: Final = (1, 2, 3)


@cache
def situations(*, milestones: int = 3, reversals: bool = False, limit: timedelta | None = None) -> dict[Shape, Scene]:
    return reachable(beginning(milestones, limit), reversals=reversals)


def kinds_of_start(siege: Siege, place: int, found: dict[Shape, Scene]) -> list[Scene]:
    """One scene for whatever is at that place, before it and with the contract; what stands behind doesn't matter to it."""
    starts: dict[Shape, Scene] = {}
    for (state, ending, *milestones), scene in found.items():
        if siege.is_held(scene):
            before = next((one for one in milestones[: place - 1] if one[0] not in CLOSED), None)  # type: ignore[index]
            starts.setdefault((state, ending, before, milestones[place - 1]), scene)
    return list(starts.values())


def test_the_search_meets_every_state_under_every_hold_at_every_place_and_an_ending_leaves_none_without() -> None:
    met = {
        (place, one.state, one.hold, scene.contract.ending is not None)
        for scene in situations().values()
        for place, one in enumerate(scene.contract.milestones, 1)
        if one.is_held
    }
    # Nothing waits at the first place: its turn is there as soon as it is funded.
    cells = [(place, state) for place in PLACES for state in HELD if place > 1 or state != "FUNDED"]
    for (place, state), hold, is_ending in itertools.product(cells, Hold, (False, True)):
        assert ((place, state, hold, is_ending) in met) == (hold is not Hold.NONE or not is_ending), (
            place,
            state,
            hold,
        )


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("side", Side)
def test_no_side_can_keep_money_held_for_ever_against_one_that_lets_others_decide(side: Side, place: int) -> None:
    siege = Siege(side, place)
    starts = kinds_of_start(siege, place, situations())
    assert len(starts) > 20
    for start in starts:
        assert siege.holds_out(start) is None


@pytest.mark.parametrize("side", Side)
def test_nor_by_fighting_for_two_milestones_at_once(side: Side) -> None:
    siege = Siege(side, 1, 2)
    for start in situations(milestones=2).values():
        if siege.is_held(start):
            assert siege.holds_out(start) is None


@pytest.mark.parametrize("side", Side)
def test_nor_after_the_provider_took_money_back(side: Side) -> None:
    found = situations(milestones=2, reversals=True)
    assert any(one.is_frozen for scene in found.values() for one in scene.contract.milestones)
    for place in (1, 2):
        siege = Siege(side, place)
        for start in kinds_of_start(siege, place, found):
            assert siege.holds_out(start) is None


LIMIT: Final = timedelta(days=6)
"""What the shortest windows just fit into, and a day more: what comes may be held for five days before mediation."""


def test_what_may_be_held_no_longer_is_held_only_for_a_mediator() -> None:
    found = situations(milestones=2, reversals=True, limit=LIMIT)
    met = set()
    for scene in found.values():
        for one in scene.contract.milestones:
            dispute = scene.contract.open_dispute(one)
            is_mediated = dispute is not None and dispute.state is DisputeState.MEDIATION
            is_over = one.hold_until is not None and one.hold_until <= scene.now
            assert (one.hold_until is not None) == one.is_held
            assert not is_over or is_mediated or one.is_frozen
            met.add((is_over, dispute is not None and dispute.by_hold_limit))
    assert {(False, False), (True, True)} <= met
    assert (False, True) not in met


@pytest.mark.parametrize("side", Side)
def test_nor_where_the_provider_may_hold_money_only_so_long(side: Side) -> None:
    siege = Siege(side, 1)
    starts = kinds_of_start(siege, 1, situations(milestones=2, limit=LIMIT))
    assert len(starts) > 20
    for start in starts:
        assert siege.holds_out(start) is None


def test_with_such_a_limit_even_a_side_that_sleeps_has_its_money_decided_about() -> None:
    """Nobody has to ask: the limit does."""
    for side in Side:
        siege = Asleep(side, 1)
        for start in kinds_of_start(siege, 1, situations(milestones=2, limit=LIMIT)):
            assert siege.holds_out(start) is None


class Asleep(Siege):
    """A side that never answers and never asks anybody."""

    def answer(self, scene: Scene) -> Scene:
        return scene


@pytest.mark.parametrize("side", Side)
def test_the_search_can_fail_a_side_that_sleeps_is_held_out_against(side: Side) -> None:
    siege = Asleep(side, 1)
    held_out = [siege.holds_out(start) for start in kinds_of_start(siege, 1, situations())]
    assert any(held_out)
