"""Whether the installed Python client hears a server for which only an authority of `authority.pem` vouches: printed as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import ssl

from earnest_client import Earnest, MemoryPlace, Unauthenticated


async def main() -> None:
    heard: list[str] = []
    trusted = ssl.create_default_context(cafile="authority.pem")
    async with Earnest(os.environ["EARNEST_URL"], "ek_of_today", verify=trusted) as earnest:
        latest = (await earnest.latest()).cursor
        try:
            async for event in earnest.follow(MemoryPlace(latest)):
                heard += [event.id]
        except Unauthenticated:
            print(json.dumps(heard))


asyncio.run(main())
