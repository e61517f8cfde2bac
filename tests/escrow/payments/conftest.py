"""The sandbox as tests of orders have it: quick, but it changes its mind only by `change_minds`, however long that takes."""

from __future__ import annotations

import pytest

from escrow.payments.sandbox import Sandbox
from tests.escrow.payments.stage import CHANGE


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setattr("escrow.payments.sandbox.CHANGE_OF_MIND_SECONDS", CHANGE.total_seconds())
    monkeypatch.setattr("escrow.payments.sandbox_books._CHANGE", CHANGE)
    return Sandbox(settle_seconds=0.02, slow_seconds=0.3, act_seconds=0.05)
