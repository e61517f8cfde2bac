"""Decides as whom a command asks, and where: one of the demo's people where `earnest up` runs here, or who was named."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from earnest.demo.people import People

ROLES: Final = ("client", "freelancer", "mediator", "operator")


def add_arguments(parser: argparse.ArgumentParser, key_help: str = "a key, in place of the demo's") -> None:
    """Where Earnest is, and with whose key to ask."""
    parser.add_argument("--as", dest="role", choices=ROLES, default="client", help="whose key of the demo to use")
    parser.add_argument("--keys", type=Path, help="the file with the demo's keys; default: .earnest/demo-keys.json")
    parser.add_argument("--url", help="the address of Earnest; default: that in the file with the keys")
    parser.add_argument("--key", help=key_help)


def door(args: argparse.Namespace, directory: Path | None = None) -> tuple[str, str]:
    """The address and the key of these arguments. Refuses with `CannotStart` if there is none."""
    if args.url is not None and args.key is not None:
        return args.url, args.key
    found = people(args, directory)
    return found.url, args.key if args.key is not None else found.by_role()[args.role].key


def people(args: argparse.Namespace, directory: Path | None = None) -> People:
    """The demo's people, at the address that was named if one was. Refuses with `CannotStart` if nobody made any here."""
    from earnest.demo.people import KEYS_FILE, read_keys
    from earnest.run.embedded import DIRECTORY
    from earnest.run.refusing import CannotStart

    path = args.keys or (directory or Path.cwd() / DIRECTORY) / KEYS_FILE
    found = read_keys(path)
    if found is None:
        raise CannotStart(f"there are no keys in {path}: start Earnest here first (make run), or give --url and --key")
    return replace(found, url=args.url) if args.url is not None else found
