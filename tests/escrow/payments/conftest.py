"""The sandbox as tests of orders have it: quick, but it changes its mind only by `change_minds`, however long that takes. Leases
end by `make_due` alone."""

from __future__ import annotations

import pytest

from escrow.payments import leases
from escrow.payments.sandbox import Sandbox
from tests.escrow.payments.stage import CHANGE


@pytest.fixture(autouse=True)
def leases_outlast_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is held up for half of its lease calls nobody: these tests are about something else."""
    monkeypatch.setattr(leases, "LEASE_SECONDS", 3_600.0)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setattr("escrow.payments.sandbox.CHANGE_OF_MIND_SECONDS", CHANGE.total_seconds())
    monkeypatch.setattr("escrow.payments.sandbox_books._CHANGE", CHANGE)
    return Sandbox(settle_seconds=0.02, slow_seconds=0.3, act_seconds=0.05)
