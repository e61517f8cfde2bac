"""Reads the modules of `api/console` as text: which there are, the GraphQL documents in them, and their catalogues of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from graphql import GraphQLSchema, build_schema

from api.console.assets import Asset
from api.console.shipped import as_sent

HOME = Path(__file__).parents[3] / "api" / "console"
LANGUAGES = ("en", "de", "ar")

_CONSTANT = re.compile(r'^(?:export )?const (\w+) = (?:gql)?[`"]([^`"]*)[`"];', re.MULTILINE)
_EXPORTED = re.compile(r'^export const (\w+) = [`"]([^`"]*)[`"];', re.MULTILINE)
_DOCUMENT = re.compile(r"gql`([^`]*)`")
_PLACE = re.compile(r"\$\{(\w+)\}")
_TEXT = re.compile(r'^  "?([\w.]+)"?: "(.*)",$', re.MULTILINE)
_IMPORT = re.compile(r'^(?:import|export) [^;]*?"(\.[^"]+)";', re.MULTILINE)


@cache
def modules() -> tuple[Path, ...]:
    """All modules of core, elements and texts, and the one that names them."""
    folders = [path for name in ("core", "elements", "texts") for path in (HOME / name).glob("*.js")]
    return (HOME / "earnest.js", *sorted(folders))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


def documents() -> Iterator[tuple[str, str]]:
    """Every document that is marked by `gql`, with the module that it stands in; pieces are put in."""
    exported = {name: piece for path in modules() for name, piece in _EXPORTED.findall(text_of(path))}
    for path in modules():
        text = text_of(path)
        pieces = exported | dict(_CONSTANT.findall(text))
        for document in _DOCUMENT.findall(text):
            if "${mutation}" not in document:
                yield named(path), _whole(document, pieces)
    yield from commands()


def commands() -> Iterator[tuple[str, str]]:
    """The document of each command, which `documentOf` makes of the mutation's name."""
    text = text_of(HOME / "core" / "commands.js")
    pieces = dict(_CONSTANT.findall(text))
    (pattern,) = [document for document in _DOCUMENT.findall(text) if "${mutation}" in document]
    beside = dict(re.findall(r'(\w+): "([^"]+)"', text[text.index("const BESIDE") : text.index("const capital")]))
    editor = text_of(HOME / "elements" / "plan_editor.js")
    sent = re.findall(r'#send\("(\w+)"', text_of(HOME / "elements" / "deliveries.js"))
    for mutation in sorted({*re.findall(r'mutation: "(\w+)"', text + editor), *sent}):
        made = pattern.replace("${capital(mutation)}", mutation[0].upper() + mutation[1:]).replace(
            "${mutation}", mutation
        )
        made = made.replace('${BESIDE[mutation] ?? ""}', beside.get(mutation, ""))
        yield f"core/commands.js {mutation}", _whole(made, pieces)


def _whole(document: str, pieces: dict[str, str]) -> str:
    while _PLACE.search(document):
        document = _PLACE.sub(lambda match: pieces[match[1]], document)
    return document


@cache
def ours() -> GraphQLSchema:
    """The schema, as its snapshot has it."""
    return build_schema((HOME.parents[1] / "schema" / "schema.graphql").read_text(encoding="utf-8"))


def catalogue(language: str) -> dict[str, str]:
    """The texts of a language by their keys."""
    return dict(_TEXT.findall(text_of(HOME / "texts" / f"{language}.js")))


def loaded_with(path: Path) -> set[Path]:
    """A module and all that it imports, directly or not."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop().resolve()
        if one not in found:
            found.add(one)
            waiting += [one.parent / address for address in _IMPORT.findall(text_of(one))]
    return found


def compressed(path: Path) -> int:
    """How many bytes a browser gets that takes what it can have over HTTPS."""
    return len(Asset.of(as_sent(text_of(path)).encode(), path.suffix).compressed["br"].body)
