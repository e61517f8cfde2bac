"""Stories and triggers that are played in a test's own process wait for events as long as tests do."""

from __future__ import annotations

import pytest

from earnest.demo import card_payments, mailbox, timeline
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def events_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are killed, and a busy machine, take longer than somebody at a terminal would wait."""
    for module in (card_payments, mailbox, timeline):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", PATIENCE_SECONDS)
