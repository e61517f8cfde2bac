"""Fold the event log again and compare it with every table; exit with 1 if anything differs."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from earnest.run.refusing import CannotStart

if TYPE_CHECKING:
    from escrow.audit import Difference
    from escrow.replica import Replica
    from escrow.settings import Settings

DIFFERENT = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The database is `DATABASE_URL`, or the embedded one, and its standby if there is one."""
    parser.add_argument(
        "--primary", action="store_true", help="read the primary, although EARNEST_READ_URL names a standby"
    )
    parser.add_argument(
        "--archive", metavar="PLACE", help="compare this archive with the log, too: a folder, or an object store's URL"
    )


def run(args: argparse.Namespace) -> int:
    """Print each difference on a line of its own; it may run beside a working deployment.

    Of an archive the last file of each kind is named as `earnest archive` named it: whoever kept that line sees whether it is the
    same, and whether some were taken off the end of the list.
    """
    differences = asyncio.run(count(on_primary=args.primary, archive=args.archive))
    if differences:
        print(f"{differences} differences.")
        return DIFFERENT
    print(
        "No differences: the tables are what the log makes of them, the chains are whole, the books balance, "
        "and every webhook has its place."
    )
    return 0


async def count(*, on_primary: bool = False, archive: str | None = None) -> int:
    """Audit the deployment, printing what is found; gives how much that was.

    What a standby has is what the primary had a moment before, so it is audited instead, where there is one; once it has what
    the primary had when the audit began.
    """
    from earnest.run.embedded import deployment
    from escrow.archive_places import Unreachable
    from escrow.audit import audit
    from webhooks.audit import audit_deliveries

    found = 0
    async with deployment() as settings, _connected(settings, on_primary=on_primary):
        try:
            archived = await _audits_of(archive)
            for differences in (audit(), audit_deliveries(), *archived):
                async for difference in differences:
                    found += 1
                    print(difference, flush=True)
            if archive is not None:
                await _print_ends(archive)
        except Unreachable as error:
            raise CannotStart(str(error)) from None
        except _given_up() as error:
            if on_primary or settings.read_url is None:
                raise
            said = (str(error) or type(error).__name__).splitlines()[0]
            raise CannotStart(
                f"the standby of EARNEST_READ_URL went away or cancelled the audit ({said}): "
                "set hot_standby_feedback=on there, or repeat with --primary to audit the primary"
            ) from None
    return found


def _given_up() -> tuple[type[Exception], ...]:
    """What a statement ends with when a standby goes away, or has to replay what the statement is in the way of."""
    import asyncpg

    return (
        ConnectionResetError,
        asyncpg.InterfaceError,
        asyncpg.OperatorInterventionError,
        asyncpg.PostgresConnectionError,
        asyncpg.SerializationError,
    )


async def _audits_of(archive: str | None) -> Sequence[AsyncIterator[Difference]]:
    """The archive beside the database, if there is one to be looked at."""
    if archive is None:
        return ()
    from escrow import segments
    from escrow.archived_log import audit_archived_log
    from webhooks.delivery.archived_deliveries import audit_archived_deliveries

    try:
        store = segments.Store(archive)
        await store.must_answer()
        if any([await segments.last(kind) for kind in segments.Kind]):
            await store.must_hold_something()
    except segments.Unusable as error:
        raise CannotStart(str(error)) from None
    return audit_archived_log(store), audit_archived_deliveries(store)


async def _print_ends(archive: str) -> None:
    """Name the last file of each kind that was compared, or say that there was none."""
    from escrow import segments

    ends = [last for kind in segments.Kind if (last := await segments.last(kind)) is not None]
    for last in ends:
        print(last.line(), flush=True)
    if not ends:
        print(f"The database lists no file of an archive: nothing in {archive} was compared.", flush=True)


@asynccontextmanager
async def _connected(settings: Settings, *, on_primary: bool) -> AsyncIterator[None]:
    """The database that is audited, open. Refuses with `CannotStart` one that is away, and a standby that isn't ours."""
    from earnest.operator import connected, in_one_line
    from escrow import database
    from escrow.replica import FAILURES

    if on_primary or settings.read_url is None:
        async with connected(settings.database_url):
            yield
        return
    try:
        await database.connect(settings.read_url)
    except FAILURES as error:  # a password that is wrong there, too
        raise CannotStart(
            f"the standby of EARNEST_READ_URL does not answer ({error}): repeat with --primary to audit the primary"
        ) from None
    try:
        await _must_be_our_standby(settings.read_url, settings.database_url)
        with in_one_line():
            yield
    finally:
        await database.disconnect()


async def _must_be_our_standby(url: str, primary_url: str) -> None:
    """An audit of a history that was voided would say nothing about the deployment."""
    from escrow.replica import FAILURES, NoStandby, Replica

    replica = Replica(url, primary_url)
    try:
        await _must_catch_up(replica)
    except NoStandby as error:
        raise CannotStart(
            f"EARNEST_READ_URL leads to no standby of DATABASE_URL ({error}): repeat with --primary to audit the primary"
        ) from None
    except FAILURES as error:
        raise CannotStart(
            f"whether EARNEST_READ_URL leads to a standby of DATABASE_URL can't be told ({error}): one of both does not answer"
        ) from None
    finally:
        await replica.close()


async def _must_catch_up(standby: Replica) -> None:
    """Wait until it has all that the primary had at the first look: what it lacks would be found neither whole nor broken."""
    from escrow.replica import BEHIND_SECONDS_MAX, LOOK_SECONDS

    until = time.monotonic() + BEHIND_SECONDS_MAX
    await standby.look()
    while standby.caught_up_at is None:
        if time.monotonic() > until:
            raise CannotStart(
                f"the standby of EARNEST_READ_URL is more than {BEHIND_SECONDS_MAX:.0f} seconds behind: "
                "repeat when it has caught up, or with --primary to audit the primary"
            )
        await asyncio.sleep(LOOK_SECONDS)
        await standby.look()
