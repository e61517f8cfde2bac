"""Print the GraphQL schema, write it to its snapshot, or compare the two."""

import argparse
import difflib
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the schema; without an argument it is printed."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", action="store_true", help="write schema/schema.graphql")
    choice.add_argument("--check", action="store_true", help="fail if schema/schema.graphql is another")


def run(args: argparse.Namespace) -> int:
    """The code is 1 if the snapshot is not what the code says, with the difference on the error output."""
    from schema.build import SNAPSHOT, sdl

    text = sdl()
    if args.write:
        SNAPSHOT.write_text(text, encoding="utf-8")
        return 0
    if not args.check:
        sys.stdout.write(text)
        return 0
    found = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    if found == text:
        return 0
    difference = difflib.unified_diff(found.splitlines(), text.splitlines(), "schema/schema.graphql", "the code", n=1)
    print("\n".join(difference), file=sys.stderr)
    print("earnest: the schema changed; if that is meant, run: earnest schema --write", file=sys.stderr)
    return 1
