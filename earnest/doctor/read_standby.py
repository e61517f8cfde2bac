"""Looks at the standby of `EARNEST_READ_URL`: whether it answers, follows our primary, and keeps up with it."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from earnest.doctor.findings import Finding, fine, in_a_line, odd, wrong
from escrow.replica import BEHIND_SECONDS_MAX, FAILURES, LOOK_SECONDS, NoStandby, Replica

SUBJECT: Final = "standby"
ANSWER_SECONDS: Final = 5.0


async def look(url: str | None, primary_url: str) -> list[Finding]:
    """What is to be said of it; nothing, if there is none."""
    if url is None:
        return []
    standby = Replica(url, primary_url)
    try:
        return [await _judged(standby)]
    except NoStandby as error:
        remedy = "name a streaming standby of DATABASE_URL in EARNEST_READ_URL; until then the primary answers all"
        return [wrong(SUBJECT, f"can't be read: {error}", remedy)]
    except FAILURES as error:
        remedy = "see whether it runs, and whether EARNEST_READ_URL is right; until then the primary answers all"
        return [wrong(SUBJECT, f"can't be reached ({in_a_line(error)})", remedy)]
    finally:
        await standby.close()


async def _judged(standby: Replica) -> Finding:
    """How it stands once it has what the primary had at first, or hasn't for as long as lists may be old."""
    until = time.monotonic() + BEHIND_SECONDS_MAX
    while True:
        async with asyncio.timeout(ANSWER_SECONDS):
            await standby.look()
        if standby.caught_up_at is not None:
            return fine(SUBJECT, "it follows the primary")
        if time.monotonic() > until:
            said = f"it is more than {BEHIND_SECONDS_MAX:.0f} seconds behind, and so isn't read"
            return odd(SUBJECT, said, "see what keeps it: its disk, the network, pg_is_wal_replay_paused()")
        await asyncio.sleep(LOOK_SECONDS)
