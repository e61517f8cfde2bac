"""Each story through real processes: it ends well, and makes the very events that its page in the docs shows."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from earnest.commands.demo import STORY_NAMES as OFFERED
from earnest.demo.people import STORY_NAMES, STRIPE, WEBSITE, People, cast_of, make_people, play
from earnest.demo.stories import STORIES
from earnest.demo.timeline import Event
from escrow.audit import audit
from escrow.database import fetch, fetch_value
from tests.earnest.demo.test_demo import operator_key, web
from tests.workers.process import worker

PAGES = Path(__file__).parents[3] / "docs" / "stories"


def test_every_story_is_offered_and_has_a_page() -> None:
    assert OFFERED == STORY_NAMES == (WEBSITE, *STORIES, STRIPE)
    assert {page.stem for page in PAGES.glob("*.md")} == {*STORIES, STRIPE, "README"}


@pytest.fixture
async def people(database: str, redis_url: str, tmp_path: Path) -> AsyncIterator[People]:
    """The demo's people on a deployment with a worker."""
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log"),
    ):
        yield await make_people(url, await operator_key())


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_makes_the_events_of_its_page_and_leaves_clean_books(people: People, name: str) -> None:
    told: list[str] = []

    def show(event: Event) -> None:
        told.append(f"    {event['type']}")

    story = cast_of(people, name, say=told.append, show=show)
    await story.tell(people.client.account, people.freelancer.account)
    shown = re.findall(r"```text\n(.*?)```", (PAGES / f"{name}.md").read_text(), re.DOTALL)
    assert shown == ["\n".join(told) + "\n"]
    stored = await fetch("SELECT type FROM events WHERE stream_id = $1 ORDER BY sequence", story.contract_id)
    assert [line.strip() for line in told if line.startswith(" ")] == [row["type"] for row in stored]
    assert [difference async for difference in audit()] == []
    in_transit = "SELECT coalesce(sum(balance_minor), 0)::bigint FROM balances WHERE account LIKE 'transit:%'"
    assert await fetch_value(in_transit) == 0


async def test_the_demo_tells_the_story_of_a_dispute_with_its_books(people: People) -> None:
    told: list[str] = []
    contract_id = await play(people, told.append, story="dispute")
    assert await fetch_value("SELECT state FROM contracts WHERE id = $1", contract_id) == "ACTIVE"
    (settled,) = [line for line in told if "milestone.settled" in line]
    assert "released 120.00 USD" in settled
    (decided,) = [line for line in told if "dispute.resolved" in line]
    assert "mediator" in decided
    assert told[-1].split() == ["0.00", "USD", "together"]
