"""Both clients survive a server that is newer than they are, busy, away, restored; and stop where their key ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.own.conftest import Installed
from tests.conformance.own.stand_in import Updated, stand_in

EXPECTED = {
    "refused": ["OUT_OF_PAINT", {"litres": 0}],
    "bare": "unsafe to repeat",
    "mirror": [["ctr_1", "PAUSED_FOR_LUNCH", "MEDIATOR"]],
    "events": [["evt_2", "contract.painted", "ROBOT"], ["evt_3", "contract.painted", "ROBOT"]],
    "place": "cur_0000000000003",
    "cut": ["cur_0000000000002", [["ctr_1", "PAUSED_FOR_LUNCH", "MEDIATOR"]], "beyond the log"],
}


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_what_is_unknown_or_away_is_survived(client: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    installed: Installed = request.getfixturevalue(client)
    with stand_in() as server:
        said = installed.run("newer", within=tmp_path, environ={"EARNEST_URL": server.url})
        assert json.loads(said) == EXPECTED
        assert server.asked == {
            "ProposeContract": 3,
            "Bare": 1,
            "Latest": 4,
            "Contracts": 4,
            "Milestones": 4,
            "Changes": 5,
        }
        assert len(server.keys) == 1
        assert server.afters == ["cur_0000000000001", "cur_0000000000002"]
        assert server.opened[1] - server.opened[0] > 0.9, "who has too much isn't asked again at once"


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_an_update_is_waited_for_and_a_look_at_everything_is_never_lost(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    with stand_in(Updated) as server:
        said = installed.run("looking", within=tmp_path, environ={"EARNEST_URL": server.url})
    assert json.loads(said) == {
        "repeated": "done",
        "bare": "UPDATING",
        "hurried": "UPDATING",
        "failed": ["INTERNAL", "cur_0000000000001", []],
        "again": ["done", "cur_0000000000002", ["ctr_1"]],
        "run": [["ctr_1"], False],
    }
    assert server.asked["Repaint"] == 2
    assert server.times[1] - server.times[0] > 0.9, "nothing was done, and nothing is for a second"
    assert server.asked["Bare"] == 1, "another of its fields may have been done"
