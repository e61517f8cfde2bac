"""Looks into the database: whether its tables are this release's, its secrets open, and its work is being done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from api.health import LAG_SECONDS_MAX, OVERDUE_SECONDS_MAX
from earnest.commands import secrets
from earnest.doctor.findings import Finding, Grade, fine, odd, wrong
from escrow import backlogs, database, migrate, sweep, vault
from escrow.parts import Part
from escrow.settings import Settings

POOL: Final = 2


async def look(settings: Settings) -> list[Finding]:
    """Look at all three."""
    await database.connect(settings.database_url, pool_size=POOL)
    try:
        return await found_inside(settings)
    finally:
        await database.disconnect()


async def found_inside(settings: Settings) -> list[Finding]:
    """The same where this process is connected. Of tables that aren't this release's nothing else can be said."""
    vault.use(settings.secret_keys)
    tables = await _tables()
    return [tables] if tables.grade is Grade.WRONG else [tables, *await _secrets(), *await _work()]


async def _tables() -> Finding:
    if pending := await migrate.pending(Part.BEFORE):
        last = f"{_steps(pending)} missing, the last of them {pending[-1]}"
        return wrong(
            "tables", last, "run `earnest migrate` (any number of them at once is harmless), then start the processes"
        )
    if pending := await migrate.pending(Part.AFTER):
        said = f"the end of the upgrade is missing: {_steps(pending)} left, which the next release's `earnest migrate` asks for"
        return odd("tables", said, "`earnest migrate --after`, once no process of the release before runs any more")
    if later := await migrate.unknown():
        said = f"they are a later release's: {_steps(later)} unknown to this one, the last of them {later[-1]}"
        return odd(
            "tables",
            said,
            "start that release's processes in place of this one's, before its `earnest migrate --after`",
        )
    return fine("tables", "as this release has them")


def _steps(names: Sequence[str]) -> str:
    return "1 step is" if len(names) == 1 else f"{len(names)} steps are"


async def _secrets() -> list[Finding]:
    found = []
    for kind in await secrets.survey(renew=False):
        if kind.unreadable:
            remedy = "put the missing key back into EARNEST_SECRET_KEYS, behind the first; `earnest secrets` names what it opens"
            found.append(wrong("secrets", f"{len(kind.unreadable)} {kind.name} are opened by no key", remedy))
        if kind.older:
            remedy = "`earnest secrets --renew`, before a key is taken away"
            found.append(odd("secrets", f"{kind.older} {kind.name} are under older keys", remedy))
    return found or [fine("secrets", "all of them open with the first key")]


async def _work() -> list[Finding]:
    """Whether workers do what is due: if not, none runs, or none gets through."""
    lag = (await backlogs.of_log()).lag_seconds
    overdue = (await sweep.backlog()).oldest_waiting_seconds
    remedy = "start a worker (`earnest worker`), or look at the log of the one that runs"
    found = []
    if lag > LAG_SECONDS_MAX:
        found.append(wrong("workers", f"an event has waited for {lag:.0f} s for its place in the log", remedy))
    if overdue > OVERDUE_SECONDS_MAX:
        found.append(wrong("workers", f"a deadline has been due for {overdue:.0f} s", remedy))
    return found or [fine("workers", "nothing waits for them")]
