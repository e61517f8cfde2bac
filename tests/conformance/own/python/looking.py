"""What the installed Python client makes of a service that is being updated, and when its mirror looks at everything, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from earnest_client import Earnest, MemoryMirror, Mirror, MirrorUpdate, OperationFailed

BEFORE = "cur_0000000000001"
"""A cursor from before the event after which this key sees other contracts."""


async def code_of(work: Any) -> str:
    try:
        await work
    except OperationFailed as failure:
        return failure.code
    return "done"


async def main() -> None:
    saw: dict[str, Any] = {}
    url = os.environ["EARNEST_URL"]
    async with Earnest(url, "ek_of_today") as patient, Earnest(url, "ek_of_today", patience_seconds=0.0) as hurried:
        saw["repeated"] = await code_of(
            patient.execute('mutation Repaint { repaint @idempotent(key: "1") { userErrors { code } } }')
        )
        saw["bare"] = await code_of(patient.execute("mutation Bare { paint { userErrors { code } } }"))
        saw["hurried"] = await code_of(hurried.execute("query Viewer { viewer { accountId } }"))
        store = MemoryMirror()
        await store.write(MirrorUpdate(cursor=BEFORE))
        mirror = Mirror(hurried, store)
        saw["failed"] = [await code_of(mirror.catch_up()), await store.cursor(), sorted(await store.ids())]
        saw["again"] = [await code_of(mirror.catch_up()), await store.cursor(), sorted(await store.ids())]
        stranger = store.contracts["ctr_1"].model_copy(update={"id": "ctr_seen_no_more"})
        await store.write(MirrorUpdate(contracts=[stranger]))
        running = asyncio.create_task(Mirror(hurried, store).run())
        while "ctr_seen_no_more" in store.contracts and not running.done():  # noqa: ASYNC110 - a store rings nobody
            await asyncio.sleep(0.01)
        saw["run"] = [sorted(await store.ids()), running.done() and str(running.exception())]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    print(json.dumps(saw))


asyncio.run(main())
