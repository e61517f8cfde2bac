"""Writes, follows and mirrors by the installed Python client for as long as it lives; may be killed, and goes on where it was.

What it heard is in `heard` (a cursor and an event a line, so that both are written or neither), what it wrote in `wrote`, its
mirror in `mirror.db`. Told `stop` it writes no more; then it says what its mirror holds whenever it is told `show`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from earnest_client import (
    Earnest,
    FileKeys,
    Keys,
    MilestoneInput,
    Mirror,
    MoneyInput,
    ProposeContractInput,
    SQLiteMirror,
    WithdrawContractInput,
)


class Heard:
    """A place of the program's own: the cursor stands in the line of its event."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.event_id = ""

    async def read(self) -> str | None:
        lines = self._path.read_text().splitlines(keepends=True) if self._path.exists() else []
        whole = [line for line in lines if line.endswith("\n")]
        self._path.write_text("".join(whole))  # a line that was cut off was never written
        return whole[-1].split()[0] if whole else os.environ["EARNEST_START"]

    async def write(self, cursor: str) -> None:
        with self._path.open("a") as file:
            file.write(f"{cursor} {self.event_id}\n")


async def follow(client: Earnest) -> None:
    place = Heard(Path("heard"))
    async for event in client.follow(place):
        place.event_id = event.id


async def write(client: Earnest, keys: Keys, stopped: asyncio.Event) -> None:
    wrote = Path("wrote")
    number = len(wrote.read_text().splitlines()) if wrote.exists() else 0
    while not stopped.is_set():
        intention = f"Python {os.environ['EARNEST_RUN']} {number}"
        made = await client.propose_contract(proposal(intention), key=await keys.of(intention))
        assert made.contract
        if number % 3 == 0:
            withdrawal = WithdrawContractInput(contract_id=made.contract.id)
            await client.withdraw_contract(withdrawal, key=await keys.of(f"withdraw {intention}"))
        with wrote.open("a") as file:
            file.write(f"{made.contract.id}\n")
        await keys.done(intention)
        await keys.done(f"withdraw {intention}")
        number += 1
        await asyncio.sleep(0.1)


def proposal(title: str) -> ProposeContractInput:
    amount = MoneyInput(amount="10.00", currency="USD")
    milestone = MilestoneInput(
        title="One", purpose="To see", amount=amount, due_on="2100-01-01", deliverables=["A page"]
    )
    return ProposeContractInput(
        client_id=os.environ["EARNEST_ACCOUNT"],
        freelancer_id=os.environ["EARNEST_OTHER"],
        title=title,
        currency="USD",
        milestones=[milestone],
    )


async def main() -> None:
    stopped = asyncio.Event()
    store = SQLiteMirror("mirror.db")
    async with Earnest(os.environ["EARNEST_URL"], os.environ["EARNEST_KEY"], patience_seconds=600) as client:
        keys = Keys(FileKeys("keys.json"))
        writing = asyncio.create_task(write(client, keys, stopped))
        others = [asyncio.create_task(follow(client)), asyncio.create_task(Mirror(client, store).run())]
        told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
        await asyncio.wait([told, writing, *others], return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        await writing
        print("stopped", flush=True)
        while (await asyncio.to_thread(sys.stdin.readline)).strip() == "show":
            assert not any(task.done() for task in others)
            print(copy_of(store), flush=True)
        for task in others:
            task.cancel()


def copy_of(store: SQLiteMirror) -> str:
    contracts = {contract.id: f"{contract.state.value} {contract.version}" for contract in store.contracts()}
    milestones = {one.id: f"{one.state.value} {one.position} {one.amount.amount}" for one in store.milestones()}
    return json.dumps({"contracts": contracts, "milestones": milestones})


asyncio.run(main())
