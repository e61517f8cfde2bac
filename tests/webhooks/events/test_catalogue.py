"""The published schemas: every example and every payload that can be sent is valid, and what is not so isn't."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from escrow import database, log, pipeline
from escrow.access import SYSTEM
from escrow.accounts.commands import endpoints as commands
from escrow.accounts.state.endpoints import Algorithm
from escrow.ids import Kind, new
from escrow.pipeline import run
from tests.escrow.cases import CASES, Case
from tests.factories import Deployment, make_endpoint
from webhooks.events import examples
from webhooks.events.catalogue import body_schema, event_types, schema_document
from webhooks.request import secrets
from webhooks.request.bodies import DeliveryMark, TextBeside, body

GOLDEN = Path(__file__).parents[2] / "golden"
NAMES = [one.name for one in event_types()]


@cache
def validator(name: str) -> Draft202012Validator:
    """Stricter than what is published: there objects are open, so that readers survive fields that are new."""
    return Draft202012Validator(closed(body_schema(name)), format_checker=Draft202012Validator.FORMAT_CHECKER)


def closed(schema: Any) -> Any:
    """The same schema without room for fields that it doesn't name, but beside the event."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if "properties" in schema and not {"timestamp", "cursor"} & set(schema["properties"]):
        found.setdefault("additionalProperties", False)
    return found


def valid(raw: bytes) -> dict[str, Any]:
    """A body that its own schema accepts."""
    content: dict[str, Any] = json.loads(raw)
    validator(content["type"]).validate(content)
    return content


def histories() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(GOLDEN.glob("*.json")):
        found = json.loads(path.read_text())
        for history in found if isinstance(found, list) else [found]:
            yield from ((path.name, stored) for stored in history["events"])


def golden(stored: dict[str, Any], **changes: Any) -> bytes:
    texts = {field: TextBeside(bytes.fromhex(text["salt"]), text["body"]) for field, text in stored["texts"].items()}
    return body(**{"api_version": "2026-11-22", "position": 1, "event_body": stored["body"], "texts": texts} | changes)


def test_every_type_that_is_ever_written_is_in_the_catalogue_and_what_stands_in_no_log_beside_them() -> None:
    assert set(NAMES) == {kind for kind, _ in log.CATALOGUE} | {"endpoint.test", "log.cut"}
    assert [one.name for one in event_types() if not one.is_logged] == ["endpoint.test", "log.cut"]


@pytest.mark.parametrize("name", NAMES)
def test_every_type_is_described_and_has_an_example_that_is_valid(name: str) -> None:
    (one,) = (one for one in event_types() if one.name == name)
    Draft202012Validator.check_schema(one.schema)
    validator(name).validate(one.example)
    assert one.description.endswith((".", "`"))
    assert one.family == name.split(".")[0]
    assert (one.example["data"]["event"]["type"], one.example["data"]["event"]["version"]) == (name, one.version)


def test_the_document_tells_the_types_apart() -> None:
    Draft202012Validator.check_schema(schema_document())
    whole = Draft202012Validator(schema_document())
    for one in event_types():
        whole.validate(one.example)
    known = schema_document()["$defs"]["EventBody"]
    assert set(known["discriminator"]["mapping"]) == set(NAMES)
    assert [one["$ref"] for one in known["oneOf"]] == list(known["discriminator"]["mapping"].values())


def test_every_shape_has_one_name_that_a_program_can_bear_and_all_are_used() -> None:
    document = schema_document()
    names = set(document["$defs"])
    assert all(name.isidentifier() and name[0].isupper() for name in names)
    assert names == {one.rpartition("/")[2] for one in references(document)}
    shapes = [json.dumps(one) for one in inner_objects(document)]
    assert shapes == [], "a shape in a shape has a name of its own"
    for shared in ("Money", "Actor", "Side", "Attachment", "SaltedText", "TextHashes"):
        assert shared in names
    assert len(names) < 5 * len(NAMES)


def references(schema: Any) -> Iterator[str]:
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from references(value)
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield schema["$ref"]


def inner_objects(document: dict[str, Any]) -> Iterator[Any]:
    for shape in document["$defs"].values():
        for one in shape.get("properties", {}).values():
            if "properties" in one or "enum" in one:
                yield one


def test_what_is_of_another_release_is_read_as_any_other_body() -> None:
    (one,) = (one for one in event_types() if one.name == "milestone.released")
    whole = Draft202012Validator(schema_document())
    known = Draft202012Validator({"$ref": "#/$defs/EventBody", "$defs": schema_document()["$defs"]})
    later: dict[str, Any] = copy.deepcopy(one.example)
    later["data"]["event"]["data"]["colour"] = later["data"]["colour"] = later["colour"] = "blue"
    known.validate(later)
    for change in ({"type": "milestone.praised"}, {"version": 2}):
        other = copy.deepcopy(later)
        other["data"]["event"] |= change
        other["type"] = other["data"]["event"]["type"]
        whole.validate(other)
        assert not known.is_valid(other)


def test_every_event_of_every_golden_history_is_valid_and_all_types_are_among_them() -> None:
    seen = {valid(golden(stored))["type"] for _, stored in histories()}
    # Reported by the provider only; the cases below have them.
    assert {kind for kind, _ in log.CATALOGUE} - seen <= {"refund.paid", "refund.failed"}


def test_erased_and_omitted_words_replays_and_tests_are_valid() -> None:
    stored = next(one for _, one in histories() if '"type":"milestone.submitted"' in one["body"])
    erased = {field: TextBeside(None, None) for field in stored["texts"]}
    assert valid(golden(stored, texts=erased))["data"]["texts"]["message"] is None
    long = {field: TextBeside(b"s" * 16, json.dumps("x" * 20_000)) for field in stored["texts"]}
    assert valid(golden(stored, texts=long))["data"]["textsOmitted"] == ["attachments", "links", "message"]
    event_id = new(Kind.EVENT)
    assert valid(golden(stored, mark=DeliveryMark(is_replay=True, previous_failed=event_id)))


@pytest.mark.parametrize("name", NAMES)
def test_a_test_of_any_type_is_valid_with_its_words(name: str) -> None:
    account_id, event_id = new(Kind.ACCOUNT), new(Kind.EVENT)
    made = examples.event_for_a_test(name, event_id=event_id, stream_id=account_id, actor=SYSTEM)
    assert made is not None
    words = examples.words_of_test(made)
    data = valid(
        body(api_version="2026-11-22", position=0, event_body=made, texts=words, mark=DeliveryMark(is_test=True))
    )["data"]
    assert (data["test"], data["cursor"], data["event"]["sequence"], data["event"]["id"]) == (True, None, 0, event_id)
    assert set(data["texts"]) == set(data["event"]["data"].get("texts", {})) - {"paymentToken"}


def test_there_is_no_test_of_a_type_that_there_is_not() -> None:
    assert examples.event_for_a_test("milestone.lost", event_id="evt_1", stream_id="acc_1", actor=SYSTEM) is None


def spoilt(**changes: Any) -> dict[str, Any]:
    """The example of a release with something else in the place that each change names."""
    (one,) = (one for one in event_types() if one.name == "milestone.released")
    found: dict[str, Any] = copy.deepcopy(one.example)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = found
        for step in way:
            place = place[step]
        place[last] = value
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "milestone.refunded"},
        {"data__event__type": "milestone.refunded"},
        {"data__event__version": 2},
        {"data__event__data__amount__amount": 12},
        {"data__event__data__surprise": 1},
        {"data__event__data__reason": "BOREDOM"},
        {"data__event__surprise": 1},
        {"data__event__id": "evt_1"},
        {"data__event__previousHash": "x"},
        {"data__texts__paymentToken": {"salt": "0" * 32, "text": "tok"}},
        {"data__texts__message": "words without a salt"},
        {"data__cursor": "7"},
        {"data__apiVersion": "the latest"},
        {"data__replay": "no"},
        {"data__previousFailed": "dlv_1"},
        {"timestamp": "yesterday"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_sent_is_not_valid(changes: dict[str, Any]) -> None:
    validator("milestone.released").validate(spoilt())
    if "timestamp" in changes and "date-time" not in Draft202012Validator.FORMAT_CHECKER.checkers:
        changes = {"timestamp": 0}
    with pytest.raises(ValidationError):
        validator("milestone.released").validate(spoilt(**changes))


def test_what_stands_beside_the_event_may_grow() -> None:
    validator("milestone.released").validate(spoilt(data__contract={"id": "ctr_1"}))


async def bodies() -> list[bytes]:
    """What would be sent for every event of the database."""
    rows = await database.fetch("""
        SELECT event.body, array_agg(texts.field) AS fields, array_agg(salt) AS salts, array_agg(texts.body) AS said
        FROM events AS event LEFT JOIN texts ON texts.event_id = event.id GROUP BY event.id, event.body
    """)
    return [
        body(
            api_version="2026-11-22",
            position=1,
            event_body=row["body"],
            texts={
                field: TextBeside(salt, said)
                for field, salt, said in zip(row["fields"], row["salts"], row["said"], strict=True)
                if field is not None
            },
        )
        for row in rows
    ]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
async def test_what_a_command_writes_is_valid(case: Case) -> None:
    there = await Deployment.make()
    command, actor = await case.prepare(there)
    await run(command, by=actor)
    types = {valid(one)["type"] for one in await bodies()}
    assert types >= {*case.events, "account.created", "fees.changed"}


@pytest.mark.usefixtures("database")
async def test_what_commands_on_endpoints_write_is_valid() -> None:
    there = await Deployment.make()
    made = await make_endpoint(there.client, event_types=("milestone.*",), algorithms=tuple(Algorithm))
    for command in (
        commands.UpdateEndpoint(endpoint_id=made.id, description="For the ledger"),
        commands.RotateSecret(
            endpoint_id=made.id,
            secrets=tuple(one.sealed for one in secrets.make(tuple(Algorithm), endpoint_id=made.id)),
        ),
        commands.DisableEndpoint(endpoint_id=made.id),
        commands.EnableEndpoint(endpoint_id=made.id),
        commands.DeleteEndpoint(endpoint_id=made.id),
    ):
        await pipeline.run(command, by=there.client)
    assert {valid(one)["type"] for one in await bodies()} >= {
        f"endpoint.{what}" for what in ("created", "changed", "secret_rotated", "disabled", "enabled", "deleted")
    }
