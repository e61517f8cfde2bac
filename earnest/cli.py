"""Runs the command line, `earnest COMMAND`. Each command is a module of `earnest.commands` with `add_arguments` and `run`."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Protocol

from earnest.run.refusing import NO_ROOM, CannotStart
from escrow.release import VERSION
from escrow.settings import LogLevel, SettingError, log_format, log_level

COMMANDS = (
    "up",
    "web",
    "worker",
    "demo",
    "listen",
    "trigger",
    "api",
    "contracts",
    "mcp",
    "migrate",
    "doctor",
    "schema",
    "explorer",
    "events",
    "accounts",
    "keys",
    "sessions",
    "secrets",
    "fees",
    "documents",
    "connect",
    "audit",
    "archive",
    "reconcile",
    "backup",
    "restore",
    "erase",
    "acts",
)
"""In the order of `earnest --help`. A module imports what is slow inside its `run`, since all of them are loaded."""

PROCESSES = ("web", "worker")
"""Those whose log tells how things go; the others tell a person what came of it, and in the log only what went wrong."""

REFUSED = 2

UNREAD = 128 + 13
"""As the shell says it of a program that SIGPIPE ended: what it had to say, 1 for a finding say, nobody heard to its end."""


class Command(Protocol):
    """What a module of `earnest.commands` offers; the first line of its docstring is its help."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say which arguments it takes."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; gives the exit code. What keeps it from starting is raised as `CannotStart`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code; a refusal is one line on the error output and the code 2."""
    try:
        return _carried_out(argv)
    except BrokenPipeError:  # whoever read along has seen enough (`earnest audit | head`)
        return UNREAD
    finally:
        _leave_nothing()


def _carried_out(argv: Sequence[str] | None) -> int:
    try:
        args = _asked(argv)
        from escrow import process_log  # after the parser, which may have ended it all with `--help`

        process_log.configure(log_format(), log_level() if args.is_process else LogLevel.WARNING)
        code: int = args.run(args)
        sys.stdout.flush()
    except (CannotStart, SettingError) as refusal:
        return _refused(str(refusal))
    except OSError as error:
        if (change := _of_files(error)) is None:
            raise
        return _refused(change)
    return code


def _refused(why: str) -> int:
    """Where that can't be written either (both outputs are files of one full disk), the code says it: 1 would be a finding."""
    try:
        print(f"earnest: {why}", file=sys.stderr)
    except OSError as error:
        if _of_files(error) is None:
            raise
    return REFUSED


def _asked(argv: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for; the parser ends it all with `--help`, or where it doesn't understand."""
    _say_everything()
    try:
        return make_parser().parse_args(argv)
    except SystemExit:
        sys.stdout.flush()
        sys.stderr.flush()
        raise


def _leave_nothing() -> None:
    """Have nothing left that would be flushed at exit to where nobody reads or nothing can be written: that would be another
    exit code, and words of Python's."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _of_files(error: OSError) -> str | None:
    """What has to change where nothing more can be written, or a file is somebody else's; `None` for all other errors."""
    if error.errno in NO_ROOM:
        where = f" to {error.filename}" if error.filename is not None else ""
        return (
            f"nothing can be written{where} ({error.strerror}): make room, and begin again; what was there is as it was"
        )
    if isinstance(error, PermissionError) and error.filename is not None:
        return f"this user may not use {error.filename} ({error.strerror}): begin again as one who may, or let this one"
    return None


def _say_everything() -> None:
    """A terminal that isn't UTF-8 is told what it can't show in another spelling; it would end the command with an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def make_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(prog="earnest", description="Milestone escrow as a service.")
    parser.add_argument("--version", action="version", version=f"earnest {VERSION}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        command: Command = importlib.import_module(f"earnest.commands.{name}")
        described = (command.__doc__ or "").strip()
        subparser = commands.add_parser(name, help=described.partition("\n")[0], description=described)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, is_process=name in PROCESSES)
    return parser
