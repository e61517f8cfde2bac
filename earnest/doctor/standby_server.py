"""Looks at the standby that lists are read from, where one is named: whether it answers, follows our database, and is near."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from earnest.doctor.database_server import ANSWER_SECONDS
from earnest.doctor.findings import Finding, fine, in_a_line, odd, wrong
from escrow.replica import BEHIND_SECONDS_MAX, FAILURES, LOOK_SECONDS, NoStandby, Replica
from escrow.settings import Settings

SUBJECT: Final = "standby"
UNTIL_THEN: Final = "until then the primary answers everything"


async def look(settings: Settings) -> list[Finding]:
    """What is to be said of it; nothing where lists are read from the primary."""
    if settings.read_url is None:
        return []
    standby = Replica(settings.read_url, settings.database_url)
    try:
        is_near = await _is_near(standby)
    except NoStandby as error:
        remedy = f"name a streaming standby of DATABASE_URL's server in EARNEST_READ_URL, or leave it out; {UNTIL_THEN}"
        return [wrong(SUBJECT, f"EARNEST_READ_URL leads to none: {error}", remedy)]
    except FAILURES as error:
        remedy = f"see whether it runs, and whether EARNEST_READ_URL and its password are right; {UNTIL_THEN}"
        return [wrong(SUBJECT, f"it or the primary can't be asked ({in_a_line(error)})", remedy)]
    finally:
        await standby.close()
    if not is_near:
        said = f"it is more than {BEHIND_SECONDS_MAX:.0f} s behind, or gets nothing from the primary"
        return [odd(SUBJECT, said, f"see its log and pg_stat_replication at the primary; {UNTIL_THEN}")]
    return [fine(SUBJECT, "it follows our database, and is near")]


async def _is_near(standby: Replica) -> bool:
    """Whether it gets, within the time that it may be behind, what the primary has at the first look."""
    until = time.monotonic() + BEHIND_SECONDS_MAX
    while True:
        async with asyncio.timeout(ANSWER_SECONDS):
            await standby.look()
        if standby.caught_up_at is not None:
            return True
        if time.monotonic() > until:
            return False
        await asyncio.sleep(LOOK_SECONDS)
