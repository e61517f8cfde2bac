"""Keep a contract's plan and a project tool the same: set up, list, pause, resume and remove couplings; plans as files."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from earnest import operator
from earnest.operator import Answer
from earnest.options import identifier, whole
from earnest.run.refusing import CannotStart
from escrow.access import Actor

WEEK_SECONDS = 604_800

LEAVES = ("none", "ask", "edit")
DONE = ("ignore", "update", "submit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each tool, and for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    github = _tool(actions, "github", "milestones or issues of a repository")
    github.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the repository")
    github.add_argument("--issues", metavar="LABEL", help="issues with this label, in place of milestones")
    github.add_argument("--url", help="the address of the API; default: https://api.github.com")
    github.add_argument("--webhook-secret", default="", help="what GitHub signs its webhooks with; may be @FILE")
    jira = _tool(actions, "jira", "issues of a project")
    jira.add_argument("--url", required=True, help="the address of the Jira")
    jira.add_argument("--project", required=True, metavar="KEY", help="the project")
    jira.add_argument("--type", default="Task", help="the type of the issues; default: Task")
    trac = _tool(actions, "trac", "milestones of an environment that has our plugin")
    trac.add_argument("--url", required=True, help="the address of the environment")
    listing = actions.add_parser("list", help="list the couplings, and how they stand")
    listing.set_defaults(handler=everything)
    for name, handler, help_ in (
        ("pause", pause, "leave a coupling alone for now"),
        ("resume", resume, "go on with a coupling, at once"),
        ("remove", remove, "forget a coupling; neither side changes"),
    ):
        action = actions.add_parser(name, help=help_)
        action.add_argument("name", type=identifier, metavar="NAME", help="its name")
        action.set_defaults(handler=handler)
        if name == "resume":
            action.add_argument(
                "--believe-missing", action="store_true", help="most items are gone because somebody meant it"
            )
    running = actions.add_parser("run", help="tend the couplings in this process, as every worker does")
    running.set_defaults(own=tend)
    for kind in ("csv", "ics"):
        _file(actions, kind)


def _tool(actions: Any, name: str, help_: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=help_)
    _contract(parser)
    parser.add_argument("--token", required=True, help="the tool's; may be @FILE")
    parser.add_argument("--name", help="what the coupling is called; default: by the tool and its place")
    parser.add_argument(
        "--plan", choices=LEAVES, help="what the tool may do to the plan; default: edit for a client, else ask"
    )
    parser.add_argument(
        "--done", choices=DONE, default="update", help="what the tool's “done” comes to; default: %(default)s"
    )
    parser.add_argument("--deletions", action="store_true", help="deleting an item takes its planned milestone out")
    parser.add_argument("--new-amount", metavar="AMOUNT", help="the price of what the tool adds without one")
    parser.add_argument(
        "--poll",
        type=whole(1, WEEK_SECONDS),
        default=60,
        metavar="SECONDS",
        help="how often it is read; default: %(default)s",
    )
    parser.set_defaults(handler=set_up, tool=name)
    return parser


def _contract(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contract", required=True, metavar="CONTRACT", help="the contract: ctr_…")
    parser.add_argument("--key", required=True, help="a party's key; may be @FILE")
    parser.add_argument("--earnest", default="http://127.0.0.1:8000", metavar="URL", help="where; default: %(default)s")


def _file(actions: Any, kind: str) -> None:
    ways = actions.add_parser(kind, help=f"a plan as a file: {kind}").add_subparsers(metavar="WAY", required=True)
    for way in ("export", "import"):
        parser = ways.add_parser(way, help=f"{way} it")
        _contract(parser)
        parser.add_argument("file", metavar="FILE", help="the file; - is the standard one")
        parser.set_defaults(own=carry, kind=kind, way=way)


def run(args: argparse.Namespace) -> int:
    """Do it: on the deployment's database, but for files, which need only a key."""
    if hasattr(args, "own"):
        code: int = args.own(args)
        return code
    return operator.run(args.handler, args)


def secret(text: str) -> str:
    """What was given, or what is in the file that was."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text().strip()
    except (OSError, UnicodeError) as error:
        raise CannotStart(f"{text[1:]} can't be read: {getattr(error, 'strerror', error)}") from None


async def set_up(args: argparse.Namespace, by: Actor) -> Answer:
    """Look at both sides once, and keep the coupling; a worker does the rest."""
    from connectors import couplings, opening
    from connectors.couplings import Coupling, Secrets
    from connectors.port import ToolError
    from connectors.sides import DoneLeave, PlanLeave, Treaty
    from escrow import acts, bell
    from escrow.bell import Topic

    place = _place(args)
    webhook = secret(getattr(args, "webhook_secret", ""))
    secrets = Secrets(key=secret(args.key), token=secret(args.token), webhook=webhook)
    named = args.name or _name(args.tool, place)
    if not couplings.may_be(named):
        raise CannotStart(
            f"a coupling is called by 1 to 50 of a-z, 0-9, “.”, “_” and “-”, not {named!r}: give another --name"
        )
    one = Coupling(
        name=named, tool=args.tool, contract_id=args.contract, earnest_url=args.earnest, place=place,
        treaty=Treaty(), secrets=secrets, poll_seconds=args.poll,
    )  # fmt: skip
    home, tool = opening.home_of(one), opening.tool_of(one)
    try:
        scopes = (await home.viewer())["scopes"]
        is_clients = await home.is_clients()
        ours, theirs = await home.read(), await tool.read()
    except ToolError as error:
        raise CannotStart(str(error)) from None
    finally:
        await home.close()
        await tool.close()
    plan = PlanLeave(args.plan or ("edit" if is_clients else "ask"))
    treaty = Treaty(plan=plan, done=DoneLeave(args.done), removes=args.deletions, new_amount=args.new_amount)
    if plan is PlanLeave.EDIT and not is_clients:
        raise CannotStart("only a client's key edits a plan: take --plan ask, or the client's key")
    async with acts.noted("AddCoupling", by=by, subject=named):
        if not await couplings.add(replace(one, treaty=treaty)):
            raise CannotStart(f"there is a coupling {named} already: give another --name, or remove it")
    await bell.ring(Topic.COUPLINGS)
    notes = [
        f"{len(ours.items)} milestones here, {len(theirs.items)} items there; every worker keeps them the same from now on."
    ]
    if "MONEY_WRITE" in scopes:
        notes.append("The key may move money, which connectors never do: one without money:write would do.")
    if webhook:
        notes.append(f"GitHub's webhooks go to {args.earnest.rstrip('/')}/couplings/{named}, as JSON.")
    return Answer(lines=[named], notes=notes)


def _place(args: argparse.Namespace) -> dict[str, str]:
    if args.tool == "github":
        return {"repository": args.repo, "label": args.issues or "", "url": args.url or ""}
    if args.tool == "jira":
        return {"url": args.url, "project": args.project, "type": args.type}
    return {"url": args.url}


def _name(tool: str, place: dict[str, str]) -> str:
    where = place.get("repository") or place.get("project") or ""
    words = [tool, *where.lower().split("/"), place.get("label", "").lower()]
    kept = ["".join(letter for letter in word if letter.isascii() and letter.isalnum()) for word in words]
    return "-".join(word for word in kept if word)[:50]


async def everything(args: argparse.Namespace, by: Actor) -> Answer:
    """Each with when both sides were last seen to say the same, and what it couldn't do."""
    from connectors import couplings

    rows = [
        (one.name, one.state, one.contract_id, one.place, one.pairs, one.writes,
         one.settled_at.strftime("%Y-%m-%dT%H:%M:%SZ") if one.settled_at else None, one.problem)
        for one in await couplings.everything()
    ]  # fmt: skip
    head = ("name", "state", "contract", "place", "items", "writes", "the same at", "problem")
    return Answer(lines=operator.table(head, rows))


async def pause(args: argparse.Namespace, by: Actor) -> Answer:
    """What is under way ends with its next step."""
    from connectors import couplings
    from escrow import acts

    async with acts.noted("PauseCoupling", by=by, subject=args.name):
        return _found(await couplings.pause(args.name), args.name, "is paused")


async def resume(args: argparse.Namespace, by: Actor) -> Answer:
    """With the next worker that looks."""
    from connectors import couplings
    from escrow import acts, bell
    from escrow.bell import Topic

    async with acts.noted("ResumeCoupling", by=by, subject=args.name):
        answer = _found(await couplings.resume(args.name, believes=args.believe_missing), args.name, "goes on")
    await bell.ring(Topic.COUPLINGS)
    return answer


async def remove(args: argparse.Namespace, by: Actor) -> Answer:
    """What both sides say stays as it is; external references stay, too."""
    from connectors import couplings
    from escrow import acts

    async with acts.noted("RemoveCoupling", by=by, subject=args.name):
        return _found(await couplings.remove(args.name), args.name, "is removed")


def _found(was_there: bool, name: str, what: str) -> Answer:
    if not was_there:
        raise CannotStart(f"there is no coupling {name}")
    return Answer(notes=[f"{name} {what}"])


def tend(args: argparse.Namespace) -> int:
    """Until a signal; any number of these processes may run beside each other and beside workers."""
    import contextlib
    import signal

    from connectors import tending
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow import bell, vault

    async def work() -> None:
        if (task := asyncio.current_task()) is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with deployment(is_passing=False) as settings, connected(settings.database_url):
            vault.use(settings.secret_keys)
            await bell.connect(settings.redis_url)
            try:
                from workers.supervision import supervise

                await supervise("couplings", tending.pump)
            finally:
                await bell.disconnect()

    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        asyncio.run(work())
    return 0


def carry(args: argparse.Namespace) -> int:
    """Write a file of the plan, or bring one in; the code is 1 if a row of it was refused."""
    from connectors.files import FileUnreadable
    from connectors.port import ToolError

    try:
        if args.way == "export":
            return asyncio.run(_export(args))
        # Before there is an event loop: it would hear Ctrl-C only once all was read.
        given = sys.stdin.buffer.read() if args.file == "-" else Path(args.file).read_bytes()
        return asyncio.run(_import(args, given))
    except BrokenPipeError:
        raise  # that is about whoever reads along
    except (ToolError, FileUnreadable, OSError) as error:
        raise CannotStart(str(error)) from None


async def _export(args: argparse.Namespace) -> int:
    from connectors import files

    home = _home(args)
    try:
        ours = await home.read()
    finally:
        await home.close()
    text = files.to_csv(ours).encode() if args.kind == "csv" else files.to_calendar(ours)
    if args.file == "-":
        sys.stdout.buffer.write(text)
    else:
        await asyncio.to_thread(Path(args.file).write_bytes, text)
    return 0


async def _import(args: argparse.Namespace, given: bytes) -> int:
    from connectors import files, importing

    file = files.from_csv(files.decoded(given)) if args.kind == "csv" else files.from_calendar(given)
    home = _home(args)
    try:
        done = await importing.bring(home, file)
    finally:
        await home.close()
    print(f"{done.added} added, {done.edited} changed, {done.same} the same, {len(done.refused)} refused")
    for line in done.refused:
        print(f"earnest: {line}", file=sys.stderr)
    return 1 if done.refused else 0


def _home(args: argparse.Namespace) -> Any:
    from connectors.home import EarnestContract

    return EarnestContract(
        args.earnest, secret(args.key), contract_id=args.contract, system=args.kind, said_by="a file"
    )
