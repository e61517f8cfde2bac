"""Register GraphQL documents, so that clients name them instead of sending them; list and remove them."""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from earnest import operator
from earnest.operator import Answer
from earnest.options import identifier
from earnest.run.refusing import CannotStart
from escrow.access import Actor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each thing to do."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    adding = actions.add_parser("add", help="register documents; prints the documentId of each")
    adding.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="a document each; of a .json file (Relay's, or Apollo's manifest) all that are in it",
    )
    adding.set_defaults(handler=add)
    actions.add_parser("list", help="list them").set_defaults(handler=list_all)
    removing = actions.add_parser("remove", help="take documents back")
    removing.add_argument("ids", type=identifier, metavar="DOCUMENT", nargs="+", help="its documentId: sha256:…")
    removing.set_defaults(handler=remove)


def run(args: argparse.Namespace) -> int:
    """Do it as the operator."""
    return operator.run(args.handler, args)


async def add(args: argparse.Namespace, by: Actor) -> Answer:
    """Register what is in the files: all of it, or nothing if one isn't valid."""
    from escrow import acts, documents

    found = [(name, text) for file in args.files for name, text in _documents_in(file)]
    for name, text in found:
        _check(name, text)
    async with acts.noted("AddDocuments", by=by, subject=", ".join(name for name, _ in found)):
        return Answer(lines=[f"{await documents.add(name, text)}  {name}" for name, text in found])


async def list_all(_: argparse.Namespace, __: Actor) -> Answer:
    """All of them, by name."""
    from escrow import documents

    return Answer(lines=[f"{one.id}  {one.name}" for one in await documents.registered()])


async def remove(args: argparse.Namespace, by: Actor) -> Answer:
    """Take them back."""
    from escrow import acts, documents

    said = {True: "is removed", False: "was not registered"}
    async with acts.noted("RemoveDocuments", by=by, subject=", ".join(args.ids)):
        return Answer(notes=[f"{identifier} {said[await documents.remove(identifier)]}" for identifier in args.ids])


def _documents_in(file: Path) -> Iterator[tuple[str, str]]:
    """The documents of a file, each with a name for people."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotStart(f"{file} can't be read: {error}") from None
    if file.suffix != ".json":
        yield file.name, text
        return
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CannotStart(f"{file} is not JSON: {error}") from None
    found = list(_in_manifest(manifest))
    if not found:
        raise CannotStart(f"{file} holds no document")
    for name, document in found:
        if not isinstance(document, str):
            raise CannotStart(f"{file} holds no document at “{name}”: it must be a text")
        yield f"{file.name}: {name}", document


def _in_manifest(manifest: object) -> Iterator[tuple[str, object]]:
    """What a manifest lists: Apollo's has `operations` with a `body` each, Relay's maps identifiers to texts."""
    match manifest:
        case {"operations": [*operations]}:
            for number, operation in enumerate(operations):
                known = operation if isinstance(operation, dict) else {}
                yield str(known.get("name", number)), known.get("body")
        case {**texts}:
            yield from ((str(name), text) for name, text in texts.items())
        case _:
            raise CannotStart("a manifest must be a JSON object: Relay's map of texts, or Apollo's with `operations`")


def _check(name: str, text: str) -> None:
    """Refuse what nobody would be answered who names it."""
    from escrow.writing import storable
    from schema.build import executable
    from schema.engine.limits import TooComplex
    from schema.engine.parsing import WITH_A_KEY, read

    if storable(name) != name or "\0" in text:  # a comment may hold what the database doesn't
        raise CannotStart(f"{name} is not a document that can be kept: its name, or what is in it, is no text")
    try:
        errors = read(executable(), text, WITH_A_KEY).errors
    except TooComplex as error:
        raise CannotStart(f"{name} is no document that would be answered: {error}") from None
    if errors:
        raise CannotStart(f"{name} is not a document of this API: {errors[0].message}")
