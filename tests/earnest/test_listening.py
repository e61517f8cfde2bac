"""`earnest listen` beside an Earnest that starts again, and beside another one like it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from earnest.api_client import Api, Refused, Unreachable
from earnest.listening import STATE_FILE, Listener
from earnest.run.refusing import CannotStart

ACCOUNT = "acc_1"


class Earnest(Api):
    """What answers the mutations of a listener, or nobody for the next few times."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", "ek_1")
        self.asked: list[str] = []
        self.enabled = asyncio.Event()
        self.away_for: dict[str, int] = {}

    async def answer(self, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        mutation = document.partition("{ ")[2].partition("(")[0]
        self.asked.append(mutation)
        if self.away_for.get(mutation, 0) > 0:
            self.away_for[mutation] -= 1
            raise Unreachable("no answer")
        if mutation == "enableWebhookEndpoint":
            self.enabled.set()
        made = {"webhookEndpoint": {"id": "whe_1"}, "secret": "whsec_1", "userErrors": []}
        found = {"id": "whe_1", "url": "http://127.0.0.1:1/", "state": "DISABLED", "eventTypes": ["*"]}
        return {"data": {"node": found} if mutation == "node" else {mutation: made}}


def listener(earnest: Earnest, directory: Path, said: list[str], *, forward_to: str | None = None) -> Listener:
    return Listener(
        earnest, account_id=ACCOUNT, directory=directory, forward_to=forward_to, event_types=["*"], say=said.append
    )


async def test_an_endpoint_is_enabled_again_although_earnest_was_away_just_then(tmp_path: Path) -> None:
    earnest, said = Earnest(), list[str]()
    earnest.away_for = {"disableWebhookEndpoint": 1, "enableWebhookEndpoint": 2}
    program = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    url = f"http://127.0.0.1:{program.sockets[0].getsockname()[1]}/"
    async with program:
        await listener(earnest, tmp_path, said, forward_to=url)._wait(url)
    assert earnest.asked == ["disableWebhookEndpoint"] * 2 + ["enableWebhookEndpoint"] * 3
    assert [line.partition(" (")[0] for line in said[1:]] == [
        *["Earnest does not answer"] * 2,  # once for each, however often it was asked
        "It is back; going on where it stopped.",
    ]


async def test_what_is_wrong_with_the_types_of_events_is_not_laid_on_the_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earnest, refused = Earnest(), {"code": "INVALID_INPUT", "message": "There is no such thing."}

    def refusing(field: str) -> None:
        async def answer(document: str, variables: Mapping[str, object]) -> dict[str, Any]:
            return {"data": {"createWebhookEndpoint": {"userErrors": [{**refused, "field": field}]}}}

        monkeypatch.setattr(earnest, "answer", answer)

    refusing("eventTypes.0")
    with pytest.raises(Refused, match="INVALID_INPUT: There is no such thing"):
        await listener(earnest, tmp_path, []).run(asyncio.Event())
    refusing("url")
    with pytest.raises(CannotStart, match="takes no endpoint on this machine"):
        await listener(earnest, tmp_path, []).run(asyncio.Event())


async def test_a_second_listener_of_an_account_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    earnest, stop, over = Earnest(), asyncio.Event(), asyncio.Event()
    over.set()
    told: list[str] = []
    first = asyncio.create_task(listener(earnest, tmp_path / ".earnest", told).run(stop))
    await asyncio.wait({first, asyncio.create_task(earnest.enabled.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert told[0].startswith("Listening")
    before = (tmp_path / ".earnest" / STATE_FILE).read_text()
    with pytest.raises(CannotStart, match=r"somebody listens as acc_1 here already .* \(--as\)") as refused:
        await listener(earnest, tmp_path / ".earnest", []).run(over)
    assert "\n" not in str(refused.value)
    assert (tmp_path / ".earnest" / STATE_FILE).read_text() == before
    assert "updateWebhookEndpoint" not in earnest.asked
    stop.set()
    await first
    said: list[str] = []
    await listener(earnest, tmp_path / ".earnest", said).run(over)
    assert said[-1].startswith("Stopped"), "once the first has ended another one may"
