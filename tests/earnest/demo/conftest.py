"""What the demo tells in a test's own process waits for events as long as tests do."""

from __future__ import annotations

import pytest

from earnest.demo import mailbox, timeline
from tests.patience import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def events_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that are killed, and a busy machine, take longer than somebody at a terminal would wait."""
    for module in (mailbox, timeline):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", PATIENCE_SECONDS)
