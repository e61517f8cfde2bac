"""Keeps what a release promised, its GraphQL schema, the JSON Schemas of its events and the names of what goes wrong, and says
what of that is broken.

`docs/releases/1.0.0/` holds them as they were published. What the code says now is read against the last of them. A break that
is meant stands in `docs/releases/breaks.toml` with a reason and a date until the next release is written, which begins anew.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from graphql import GraphQLInputObjectType, GraphQLScalarType, GraphQLSchema, OperationType, build_schema
from graphql.utilities import DangerousChangeType, find_breaking_changes, find_dangerous_changes

from escrow.release import RELEASE

RELEASES: Final = Path(__file__).parents[2] / "docs" / "releases"
BREAKS: Final = "breaks.toml"
SDL: Final = "schema.graphql"
EVENTS: Final = "events.json"
ERRORS: Final = "errors.json"

OTHERWISE: Final = frozenset(
    {DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE, DangerousChangeType.INPUT_FIELD_DEFAULT_VALUE_CHANGE}
)
"""What graphql-core only calls dangerous: who leaves something out gets something else, or is refused."""

ONLY_IN_SANDBOXES: Final = frozenset(
    {
        "AdvanceTestClockInput was removed.",
        "AdvanceTestClockPayload was removed.",
        "Field Mutation.advanceTestClock was removed.",
    }
)
"""What isn't there where money is real, and never was: releases keep a sandbox's schema."""

SAID: Final = frozenset({"description", "title", "examples"})
"""What tells people something and programs nothing."""

Json = Any


def write(sdl: str, events: Json, errors: Json, folder: Path = RELEASES) -> Path:
    """Keep this release's promises; gives the folder."""
    kept = folder / RELEASE
    kept.mkdir(parents=True, exist_ok=True)
    (kept / SDL).write_text(sdl, encoding="utf-8")
    for name, promised in ((EVENTS, events), (ERRORS, errors)):
        (kept / name).write_text(json.dumps(promised, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept


def every(folder: Path = RELEASES) -> list[Path]:
    """The folders of all releases, from the first to the last."""
    return sorted((one for one in folder.iterdir() if one.is_dir()), key=lambda one: _number(one.name))


def last(folder: Path = RELEASES) -> Path:
    """The folder of the last release."""
    return every(folder)[-1]


def broken_in_schema(sdl: str, folder: Path = RELEASES) -> list[str]:
    """What of the last release's GraphQL schema doesn't hold any more, and isn't declared."""
    was, now = build_schema((last(folder) / SDL).read_text(encoding="utf-8")), build_schema(sdl)
    found = [change.description for change in find_breaking_changes(was, now)]
    found += [change.description for change in find_dangerous_changes(was, now) if change.type in OTHERWISE]
    return _undeclared([*found, *_replaced(was, now), *_otherwise(was, now)], folder)


def broken_where_money_is_real(sdl: str, folder: Path = RELEASES) -> list[str]:
    """The same of the schema that there is in no sandbox: what goes from that one alone is still in the other."""
    return [one for one in broken_in_schema(sdl, folder) if one not in ONLY_IN_SANDBOXES]


def _replaced(was: GraphQLSchema, now: GraphQLSchema) -> Iterator[str]:
    """Kinds of operations that begin at another type, which graphql-core doesn't look at."""
    for kind in OperationType:
        before, after = was.get_root_type(kind), now.get_root_type(kind)
        if before is not None and (after is None or after.name != before.name):
            yield f"A {kind.value} begins no more at {before.name}."


def _otherwise(was: GraphQLSchema, now: GraphQLSchema) -> Iterator[str]:
    """Types that are of the same kind and filled in otherwise, which graphql-core doesn't look at: inputs that took several of
    their fields and take exactly one now, and scalars that follow another specification."""
    for name, before in was.type_map.items():
        after = now.type_map.get(name)
        if _is_narrowed(before, after):
            yield f"{name} takes exactly one of its fields now."
        if _is_spelt_otherwise(before, after):
            yield f"{name} is specified otherwise."


def _is_narrowed(was: object, now: object) -> bool:
    return (
        isinstance(was, GraphQLInputObjectType)
        and isinstance(now, GraphQLInputObjectType)
        and now.is_one_of
        and not was.is_one_of
    )


def _is_spelt_otherwise(was: object, now: object) -> bool:
    return (
        isinstance(was, GraphQLScalarType)
        and isinstance(now, GraphQLScalarType)
        and was.specified_by_url not in (None, now.specified_by_url)
    )


def broken_in_events(events: Json, folder: Path = RELEASES) -> list[str]:
    """What of the last release's events doesn't hold any more, and isn't declared."""
    was = json.loads((last(folder) / EVENTS).read_text(encoding="utf-8"))["$defs"]
    return _undeclared(list(_breaks(was, events["$defs"])), folder)


def broken_in_errors(errors: Json, folder: Path = RELEASES) -> list[str]:
    """What of the last release's names of errors nobody is told any more, and isn't declared."""
    was = json.loads((last(folder) / ERRORS).read_text(encoding="utf-8"))
    found = [f"The error code {code} was removed." for code in was["codes"] if code not in errors["codes"]]
    for cause, values in was["causes"].items():
        if cause not in errors["causes"]:
            found.append(f"The cause {cause} was removed.")
        else:
            lost = [value for value in values if value not in errors["causes"][cause]]
            found += [f"The cause {cause} has no {value} any more." for value in lost]
    return _undeclared(found, folder)


def declared(folder: Path = RELEASES) -> dict[str, str]:
    """What is broken on purpose, with the reason. Refuses with `ValueError` what has no reason or no date."""
    path = folder / BREAKS
    listed = tomllib.loads(path.read_text(encoding="utf-8")).get("break", []) if path.exists() else []
    found: dict[str, str] = {}
    for one in listed:
        if not (one.get("what") and one.get("reason") and isinstance(one.get("on"), date)):
            raise ValueError(f"docs/releases/{BREAKS}: a break has `what`, `reason` and the date `on`: {one}")
        found[one["what"]] = one["reason"]
    return found


def _undeclared(found: list[str], folder: Path) -> list[str]:
    meant = declared(folder)
    return [one for one in found if one not in meant]


def _breaks(was: Mapping[str, Json], now: Mapping[str, Json]) -> Iterator[str]:
    """What differs between two sets of shapes so that who reads by the former ones is misled."""
    for name, shape in was.items():
        if name not in now:
            yield f"{name} was removed."
        elif "properties" in shape:
            yield from _in_object(name, shape, now[name])
        elif not _reads_as(shape, now[name]):
            yield f"{name} changed its type."


def _in_object(name: str, was: Json, now: Json) -> Iterator[str]:
    required, required_now = set(was.get("required", ())), set(now.get("required", ()))
    for key, shape in was["properties"].items():
        if key not in now.get("properties", {}):
            yield f"{name}.{key} was removed."
        elif not _reads_as(shape, now["properties"][key]):
            yield f"{name}.{key} changed its type."
    for key in sorted((required & now.get("properties", {}).keys()) - required_now):
        yield f"{name}.{key} may be missing now."
    for key in sorted(required_now - required):
        yield f"{name}.{key} is required now, and events of before lack it."


def _reads_as(was: Json, now: Json) -> bool:
    """Whether what fits the new shape is no surprise to who knows the former one: lists of words, of versions and of types may
    grow, as the schema says itself."""
    if isinstance(was, dict) and isinstance(now, dict):
        if "discriminator" in was and "discriminator" in now:
            return set(was["discriminator"]["mapping"].items()) <= set(now["discriminator"]["mapping"].items())
        if "enum" in was and "enum" in now and set(was["enum"]) <= set(now["enum"]):
            return _reads_as(_without(was, "enum"), _without(now, "enum"))
        if set(map(_spelt, _options(was))) < set(map(_spelt, _options(now))):
            return all("$ref" in one for one in _options(now) if _spelt(one) not in map(_spelt, _options(was)))
        was, now = _without(was), _without(now)
        return was.keys() == now.keys() and all(_reads_as(was[key], now[key]) for key in was)
    return _spelt(was) == _spelt(now)


def _options(shape: Json) -> list[Json]:
    return list(shape["anyOf"]) if "anyOf" in shape else [shape]


def _without(shape: Json, *keys: str) -> Json:
    """A shape without what only tells something; what is called so, but is a shape, is a field of that name."""
    return {
        key: value for key, value in shape.items() if (key not in SAID or isinstance(value, dict)) and key not in keys
    }


def _spelt(shape: Json) -> str:
    if isinstance(shape, list):
        return f"[{','.join(map(_spelt, shape))}]"
    if isinstance(shape, dict):
        return f"{{{','.join(f'{key}:{_spelt(value)}' for key, value in sorted(_without(shape).items()))}}}"
    return json.dumps(shape)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
