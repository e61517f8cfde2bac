"""The whole product on the stand-in for Stripe: `earnest demo --story stripe` on a deployment of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from earnest.commands import demo
from earnest.run import stand_in
from earnest.run.refusing import CannotStart

ROOT = Path(__file__).parents[3]

TOLD = [
    *("contract.proposed", "milestone.added", "contract.accepted", "deposit.started", "deposit.action_required"),
    *("deposit.confirmed", "milestone.funded", "milestone.activated", "deposit.reversed", "deposit.reinstated"),
    *("deposit.reversal_resolved", "milestone.submitted", "milestone.released", "contract.completed"),
]


async def test_a_bank_asks_the_payer_and_a_chargeback_is_won(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    await demo.tell(None, None, bodies=True, story="stripe")
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"')]
    happened = [event["type"] for event in told]
    assert [one for one in happened if one != "deposit.action_taken"] == TOLD


def test_the_stand_in_meets_no_data_of_value() -> None:
    with pytest.raises(CannotStart, match="built-in engines"):
        stand_in.variables({"DATABASE_URL": "postgres://u:p@db/earnest", "REDIS_URL": "redis://r"})


def test_without_a_checkout_there_is_no_stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stand_in, "CHECKOUT", tmp_path)
    with pytest.raises(CannotStart, match="checkout"):
        stand_in.variables({})


def test_everybody_is_told_the_same_about_the_stand_in(tmp_path: Path) -> None:
    told = stand_in.variables({"PORT": "9000"})
    assert told["EARNEST_STRIPE_URL"] == "http://127.0.0.1:9001"
    command = " ".join(stand_in.entry(told, tmp_path).command)
    assert "--port 9001" in command
    assert "--notify http://127.0.0.1:9000/providers/stripe" in command
