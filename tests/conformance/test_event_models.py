"""Generators make models of the published schemas by the commands of the page about events; those read all that is ever sent.

What a later release may send is survived: a type, a version and fields that are new. The webhooks' AsyncAPI is valid.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import shlex
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from escrow import log, terms
from escrow.terms import Terms
from tests.conformance.conftest import HERE
from tests.escrow.test_histories import Dice, attempt
from tests.factories import Deployment, advance_clock
from tests.patience import PATIENCE_SECONDS
from tests.webhooks.events.test_catalogue import bodies, golden, histories
from webhooks.events import asyncapi
from webhooks.events.catalogue import event_types, schema_document

PAGE = HERE.parents[1] / "docs" / "events" / "README.md"
VENV, MODULES = HERE / ".venv" / "bin", HERE / "node_modules" / ".bin"

SEEDS = (1, 6)
STEPS = 60

STRICT = ["--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "--types", "node"]


def run(*command: str | Path, cwd: Path) -> str:
    """What a program printed, which must succeed."""
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=alone, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def generators() -> list[list[str]]:
    """The commands of the page that make models."""
    (block,) = re.findall(r"```\n(datamodel-codegen .*?)```", PAGE.read_text(), re.DOTALL)
    return [shlex.split(line) for line in block.replace("\\\n", " ").strip().splitlines()]


@pytest.fixture
def _usual_terms() -> Iterator[None]:
    yield
    terms.use(Terms())


async def a_long_history() -> list[bytes]:
    """What is sent of contracts on which everybody did anything, and of all that was ever written."""
    there = await Deployment.make()
    for seed in SEEDS:
        terms.use(Terms(usual_hold_limit=timedelta(days=55) if seed % 2 else None))
        dice = Dice(there, await there.activate("250.00", "500.00", "100.00"), seed)
        for _ in range(STEPS):
            await asyncio.gather(*(attempt(command, by) for command, by in await dice.commands()))
            if dice.chance.random() < 0.05:
                await advance_clock(hours=dice.chance.choice((1, 71, 73, 14 * 24)))
            if dice.chance.random() < 0.1:
                await dice.change_the_world()
    await log.sequence()
    written = [golden(stored) for _, stored in histories()]
    return [*await bodies(), *written, *(json.dumps(one.example).encode() for one in event_types())]


def of_a_later_release() -> list[dict[str, Any]]:
    """A type, a version, fields and a value of an enumeration that nobody knows yet."""
    (one,) = (one for one in event_types() if one.name == "milestone.released")
    made = [copy.deepcopy(one.example) for _ in range(3)]
    fields, kind, version = made
    fields["colour"] = fields["data"]["colour"] = fields["data"]["event"]["data"]["colour"] = {"name": "blue"}
    kind["type"] = kind["data"]["event"]["type"] = "milestone.praised"
    version["data"]["event"]["version"] = 2
    version["data"]["event"]["data"] = {"sum": 7}
    return made


def expected(sent: list[bytes]) -> dict[str, Any]:
    """What both readers must find."""
    types, released = Counter[str](), Decimal("0.00")
    for raw in sent:
        body = json.loads(raw)
        types[body["type"]] += 1
        amount = body["data"]["event"]["data"].get("amount", {})
        if body["type"] == "milestone.released" and amount["currency"] == "USD":
            released += Decimal(amount["amount"])
    (example,) = (one.example for one in event_types() if one.name == "milestone.released")
    types["milestone.released"] += 1  # with fields that are new
    released += Decimal(example["data"]["event"]["data"]["amount"]["amount"])
    return {
        "types": dict(types),
        "others": {"milestone.praised": 1, "milestone.released": 1},
        "released": str(released),
    }


_MADE: list[bytes] = []
"""The history, played once for all that reads it."""


@pytest.fixture
async def sent(database: str, _usual_terms: None, tmp_path: Path) -> list[bytes]:
    """A long history; it lies in `bodies.jsonl`, and behind it what a later release would send."""
    if not _MADE:
        _MADE.extend(await a_long_history())
    found = list(_MADE)
    assert len(found) > 800
    assert {json.loads(one)["type"] for one in found} == {one.name for one in event_types()}
    later = [json.dumps(one).encode() for one in of_a_later_release()]
    (tmp_path / "bodies.jsonl").write_bytes(b"\n".join([*found, *later]))
    (tmp_path / "events.schema.json").write_text(json.dumps(schema_document()))
    return found


def test_pydantic_models_are_strict_and_read_every_event(sent: list[bytes], tmp_path: Path) -> None:
    python, _ = generators()
    run(VENV / python[0], *python[1:], cwd=tmp_path)
    (tmp_path / "events.py").rename(tmp_path / "models.py")
    shutil.copy(HERE / "events" / "reading.py", tmp_path)
    (function,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert function in (tmp_path / "reading.py").read_text(), "the page's own way to read is what is tried"
    models = (tmp_path / "models.py").read_text()
    assert models.count("\nclass EventBody(") == models.count("\nclass Money(") == models.count("\nclass Actor(") == 1
    assert not re.findall(r"\nclass \w*\d\(", models), "every shape has a name of its own"
    run(VENV / "mypy", "--strict", "--cache-dir", ".mypy", "models.py", "reading.py", cwd=tmp_path)
    said = json.loads(run(VENV / "python", "reading.py", "bodies.jsonl", cwd=tmp_path))
    assert said == expected(sent)


def test_typescript_types_are_strict_and_fit_every_event(sent: list[bytes], tmp_path: Path) -> None:
    _, typescript = generators()
    run(MODULES / typescript[0], *typescript[1:], cwd=tmp_path)
    (tmp_path / "events.ts").rename(tmp_path / "models.ts")
    models = (tmp_path / "models.ts").read_text()
    assert not re.findall(r"(?:interface|type) \w*\d\b", models), "every shape has a name of its own"
    shutil.copy(HERE / "events" / "reading.ts", tmp_path)
    (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    names = ",\n".join(f'  "{one.name}": true' for one in event_types())
    (tmp_path / "known.ts").write_text(
        'import type { EventBody } from "./models.js";\n'
        f'export const KNOWN: Record<EventBody["type"], true> = {{\n{names},\n}};\n'
    )
    # Each event stands in the program, so that the compiler itself says whether it fits.
    literals = ",\n".join(one.decode() for one in sent)
    (tmp_path / "history.ts").write_text(
        f'import type {{ EventBody }} from "./models.js";\nexport const HISTORY: EventBody[] = [\n{literals},\n];\n'
    )
    run(MODULES / "tsc", *STRICT, "--outDir", "made", "reading.ts", "history.ts", cwd=tmp_path)
    said = json.loads(run("node", "made/reading.js", "bodies.jsonl", cwd=tmp_path))
    assert said == expected(sent)


def test_asyncapi_is_valid_by_its_own_schema() -> None:
    schemas = HERE / "node_modules" / "@asyncapi" / "specs" / "schemas"
    validator = Draft7Validator(json.loads((schemas / f"{asyncapi.VERSION}.json").read_text()))
    assert [error.message for error in validator.iter_errors(asyncapi.document())] == []
    broken = asyncapi.document() | {"channels": {"endpoint": {"address": 7}}}
    assert not validator.is_valid(broken)
