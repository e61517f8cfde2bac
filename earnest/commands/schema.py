"""Print the GraphQL schema, write it to its snapshot, compare the two, or keep it as what a release promises."""

import argparse
import difflib
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the schema; without an argument it is printed."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", action="store_true", help="write schema/schema.graphql")
    choice.add_argument(
        "--check",
        action="store_true",
        help="fail if schema/schema.graphql is another, or breaks what the last release promised",
    )
    choice.add_argument(
        "--release", action="store_true", help="keep schema, events and errors as this release's, in docs/releases"
    )


def run(args: argparse.Namespace) -> int:
    """The code is 1 if the snapshot is not what the code says, or something is broken, with that on the error output."""
    from earnest.generate import releases
    from schema import error_codes
    from schema.build import SNAPSHOT, sdl
    from webhooks.events import catalogue

    text = sdl()
    if args.release:
        print(releases.write(text, catalogue.schema_document(), error_codes.named()))
        return 0
    if args.write:
        SNAPSHOT.write_text(text, encoding="utf-8")
        return 0
    if not args.check:
        sys.stdout.write(text)
        return 0
    found = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    if found == text:
        broken = [*releases.broken_in_schema(text), *releases.broken_where_money_is_real(sdl(sandbox=False))]
        return told([*dict.fromkeys(broken), *releases.broken_in_errors(error_codes.named())])
    difference = difflib.unified_diff(found.splitlines(), text.splitlines(), "schema/schema.graphql", "the code", n=1)
    print("\n".join(difference), file=sys.stderr)
    print("earnest: the schema changed; if that is meant, run: earnest schema --write", file=sys.stderr)
    return 1


def told(broken: list[str]) -> int:
    """Say what breaks the last release; gives the exit code."""
    for one in broken:
        print(one, file=sys.stderr)
    if broken:
        print(
            "earnest: clients of the last release break by this; if that is meant, docs/releases/breaks.toml",
            file=sys.stderr,
        )
    return 1 if broken else 0
