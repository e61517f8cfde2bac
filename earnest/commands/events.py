"""Print the JSON Schemas of all events, or AsyncAPI, write the pages about them to docs/events, or compare these."""

import argparse
import json
import sys


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the catalogue; without an argument its JSON Schema is printed."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--asyncapi", action="store_true", help="print the webhooks as AsyncAPI 3 instead")
    choice.add_argument("--write", action="store_true", help="write docs/events")
    choice.add_argument(
        "--check", action="store_true", help="fail if docs/events is not what the code says, or receivers break"
    )


def run(args: argparse.Namespace) -> int:
    """The code is 1 if a page is not what the code says, or something is broken, with that on the error output."""
    from earnest.commands.schema import told
    from earnest.generate import event_pages, releases
    from webhooks.events import asyncapi, catalogue

    if args.write:
        event_pages.write()
        return 0
    if not args.check:
        document = asyncapi.document() if args.asyncapi else catalogue.schema_document()
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return 0
    found = event_pages.differences()
    for name in found:
        print(f"docs/events/{name} is not what the code says", file=sys.stderr)
    if found:
        print("earnest: the events changed; if that is meant, run: earnest events --write", file=sys.stderr)
        return 1
    return told(releases.broken_in_events(catalogue.schema_document()))
