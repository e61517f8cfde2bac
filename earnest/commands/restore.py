"""Bring the database back to a moment, out of a folder of backups, and say what that means for readers and for money."""

import argparse
import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from earnest.backups.archiving import BACKUPS, named
from earnest.options import folder, identifier, moment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="backups",
        type=folder,
        metavar="FOLDER",
        default=named(os.environ),
        help=f"where backups are kept; by default what {BACKUPS} says",
    )
    parser.add_argument(
        "--to",
        dest="until",
        type=moment,
        metavar="WHEN",
        help="the moment (2026-11-29T08:00:00Z; without a zone it is UTC): what was committed later is gone; "
        "by default everything that was kept",
    )
    parser.add_argument(
        "--into",
        type=folder,
        metavar="FOLDER",
        help="make the data folder of a server of your own there, to be started by you; then run `earnest restore --finish`",
    )
    parser.add_argument(
        "--finish",
        action="store_true",
        help="after a server was restored, or a standby took over: note where the log was cut, and say what it means",
    )
    parser.add_argument(
        "--declare",
        action="store_true",
        help="with --finish: it was put back by other means than PostgreSQL's own, so that it can't know (a snapshot of a disk)",
    )
    parser.add_argument(
        "--settle",
        type=identifier,
        metavar="ORDER",
        help="the money of this lost order was dealt with by hand: it holds up no other of its contract any more",
    )


def run(args: argparse.Namespace) -> int:
    """Nothing of the deployment may run meanwhile, but for `--settle`."""
    from earnest.backups import restoring
    from earnest.run.embedded import names_servers
    from earnest.run.refusing import CannotStart

    _check_meaning(args)
    if args.settle is not None:
        return asyncio.run(_settle(args.settle))
    if args.finish:
        return asyncio.run(_finish(declare=args.declare))
    if args.backups is None:
        raise CannotStart(f"Say where backups are kept: --from FOLDER, or {BACKUPS}")
    if args.until is not None:
        restoring.check_has_come(args.until, now=datetime.now(UTC))
    backups = Path(args.backups).absolute()
    if (remark := restoring.remark(backups, args.until)) is not None:
        print(remark, file=sys.stderr)
    if args.into is not None:
        return _prepare(backups, args.into.absolute(), args.until)
    if names_servers(os.environ):
        raise CannotStart(
            "DATABASE_URL names a server of your own: `--into FOLDER` makes its data folder, and `--finish` says what comes then"
        )
    return asyncio.run(_restore_embedded(backups, args.until))


def _check_meaning(args: argparse.Namespace) -> None:
    """Refuse with `CannotStart` options of which one would be passed over: who said `--declare` doesn't mean a restore."""
    from earnest.run.refusing import CannotStart

    if args.declare and not args.finish:
        raise CannotStart(
            "--declare says how a server was put back, and nothing is restored by it: say --finish --declare"
        )
    ways = {"--settle": args.settle is not None, "--finish": args.finish, "--into": args.into is not None}
    named = [name for name, is_said in ways.items() if is_said]
    if args.until is not None and named and named != ["--into"]:
        named.append("--to")
    if len(named) > 1:
        raise CannotStart(f"{' and '.join(named)} are different things to do: say one of them")


def _prepare(backups: Path, data: Path, until: datetime | None) -> int:
    from earnest.backups import restoring
    from earnest.backups.taking import WAL

    base = restoring.choose(backups, until)
    if until is None:
        restoring.check_whole(base, backups)
    restoring.prepare(base, backups, data, until)
    print(
        f"{data}: ready, of {base.path.name}. Give it to the user that PostgreSQL runs as, let that user read {backups / WAL},"
    )
    print(
        "start PostgreSQL on it, and when it takes writes run `earnest restore --finish` before anything else of Earnest starts."
    )
    return 0


async def _restore_embedded(backups: Path, until: datetime | None) -> int:
    from earnest.backups import in_place

    async with in_place.restored(Path.cwd(), backups, until) as (settings, kept):
        if kept is not None:
            print(f"what was there is kept in {kept}")
        await _note_and_tell(settings, declare=False)
    return 0


async def _finish(*, declare: bool) -> int:
    from earnest.run.embedded import deployment

    async with deployment() as settings:
        await _note_and_tell(settings, declare=declare)
    return 0


async def _note_and_tell(settings: Any, *, declare: bool) -> None:
    from earnest.operator import connected
    from earnest.run.refusing import CannotStart
    from escrow import acts, cuts, database, migrate
    from escrow.parts import Part

    async with connected(settings.database_url):
        if await database.fetch_value("SELECT pg_is_in_recovery()"):
            raise CannotStart(
                "PostgreSQL is still recovering, or is a standby: promote it, or wait until it takes writes"
            )
        if await migrate.pending(Part.BEFORE):
            print("The tables are an earlier release's: `earnest migrate`, then `earnest restore --finish --declare`,")
            print("before anything else starts.")
            return
        before = await cuts.last()
        async with acts.noted("DeclareRestore" if declare else "FinishRestore"):
            cut = await cuts.notice(declared=declare)
        if cut is None or cut == before:
            since = ", but for what was noted already" if cut is not None else ""
            print(
                f"PostgreSQL doesn't say that it was restored{since}. If a disk was put back from a snapshot, add --declare."
            )
        if cut is not None:
            for line in await _told(cut):
                print(line)


async def _told(cut: Any) -> list[str]:
    from escrow import cursors, database

    open_orders = await database.fetch_value("SELECT count(*) FROM payment_orders WHERE state = 'STARTED'")
    kept_at = f"{cut.kept_at:%Y-%m-%dT%H:%M:%S.%fZ}" if cut.kept_at is not None else "nothing"
    return [
        f"the log was cut at {cut.cut_at:%Y-%m-%dT%H:%M:%SZ}",
        f"last event kept     {cursors.print_cursor(cut.kept_position)}, of {kept_at}",
        f"next event          {cursors.print_cursor(cut.first_position)}; cursors between the two are refused (LOG_CUT)",
        f"orders under way    {open_orders}; before any is called, workers read what moved at the provider until the cut",
        "next                start everything, then `earnest backup`, `earnest audit` and `earnest reconcile`",
    ]


async def _settle(order_id: str) -> int:
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from earnest.run.refusing import CannotStart
    from escrow import acts
    from escrow.payments import lost

    async with (
        deployment() as settings,
        connected(settings.database_url),
        acts.noted("SettleLostOrder", subject=order_id),
    ):
        if not await lost.settle(order_id):
            raise CannotStart(f"No money of a lost order {order_id} is known: `earnest reconcile` lists what there is")
    print(f"{order_id}: holds nothing up any more")
    return 0
