"""What the installed Python client makes of a server of tomorrow, on a bad day: printed as JSON."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from earnest_client import (
    BeyondTheLog,
    Earnest,
    Keys,
    MemoryMirror,
    MemoryPlace,
    Mirror,
    MirrorUpdate,
    ProposeContractInput,
    Refused,
    Unauthenticated,
    UnsafeToRepeat,
)

VOID = "cur_0000000000666"
"""A cursor of what was cut off."""


async def main() -> None:
    saw: dict[str, Any] = {}
    async with Earnest(os.environ["EARNEST_URL"], "ek_of_today") as earnest:
        proposal = ProposeContractInput(
            client_id="acc_1", freelancer_id="acc_2", title="Of tomorrow", currency="USD", milestones=[]
        )
        try:
            await earnest.propose_contract(proposal, key=await Keys().of("paint it"))
        except Refused as refusal:
            saw["refused"] = refusal.first.code, refusal.first.details
        try:
            await earnest.execute("mutation Bare { paint }")
        except UnsafeToRepeat:
            saw["bare"] = "unsafe to repeat"
        store = MemoryMirror()
        mirror = Mirror(earnest, store)
        await mirror.catch_up()
        saw["mirror"] = [[one.id, one.state.value, one.turn and one.turn.value] for one in store.contracts.values()]
        await store.write(MirrorUpdate(cursor=VOID, gone=frozenset({"ctr_1"})))
        await mirror.catch_up()
        contracts = [[one.id, one.state.value, one.turn and one.turn.value] for one in store.contracts.values()]
        saw["cut"] = [await store.cursor(), contracts]
        try:
            async for event in earnest.follow(MemoryPlace(VOID)):
                saw["cut"].append(event.id)
        except BeyondTheLog:
            saw["cut"].append("beyond the log")
        place = MemoryPlace("cur_0000000000001")
        saw["events"] = []
        try:
            async for event in earnest.follow(place):
                saw["events"].append([event.id, event.type_, event.actor.kind.value])
        except Unauthenticated:
            saw["place"] = place.cursor
    print(json.dumps(saw))


asyncio.run(main())
