"""The sandbox page's request, run as it stands there: two weeks of silence in a second."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from tests.docs.product import run, shell_blocks, started


def test_two_weeks_of_silence_pass_in_a_moment_as_the_page_says(tmp_path: Path) -> None:
    block, *_ = shell_blocks("docs/sandbox.md")
    with started(tmp_path) as (port, keys):
        answer = run(block.replace("OPERATOR=ek_…", f"OPERATOR={keys['operator']}").replace(":8000", f":{port}"))
    payload = answer["data"]["advanceTestClock"]
    assert payload["userErrors"] == []
    assert not payload["hasMore"]
    assert [event["type"] for event in payload["events"]] == [
        *["milestone.deadline_approaching"] * 3,
        "milestone.released",
    ]
    assert payload["events"][-1]["data"]["reason"] == "AUTO_RELEASED"
    times = [datetime.fromisoformat(event["occurredAt"]) for event in payload["events"]]
    assert [times[-1] - at for at in times[:-1]] == [timedelta(days=7), timedelta(days=2), timedelta(hours=12)]
