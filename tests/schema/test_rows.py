"""Answers that are read from rows are those that objects give, byte for byte, whoever asks for whatever of real contracts."""

from __future__ import annotations

import gc
import os
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, get_named_type, is_leaf_type

from escrow import database, ids, log
from escrow.access import Actor, Scope
from escrow.agreement import commands
from escrow.agreement.events import WITHHELD
from escrow.erasure import erase
from escrow.ids import Kind
from escrow.pipeline import run
from escrow.queries import contracts, events, milestones
from escrow.queries.reading import SELECTIONS_MAX, Selections
from escrow.settings import Compilation
from schema import build
from schema.engine.context import Context
from schema.engine.execution import Operation, Runner
from schema.types.events import CLASSES
from tests.factories import Deal, Deployment, advance_clock, party

DOCUMENTS = int(os.environ.get("COMPILED_DOCUMENTS", "90"))

ORDERS = {
    "contracts": ("NEWEST", "OLDEST", "RECENTLY_UPDATED", "LONGEST_UNCHANGED", "DEADLINE"),
    "milestones": ("PLAN", "DUE", "DUE_LAST", "RECENTLY_UPDATED", "LONGEST_UNCHANGED", "DEADLINE"),
}
FILTERS = {
    "contracts": ("", "filter: {state: [ACTIVE, PROPOSED]}", 'filter: {currency: "EUR"}', 'filter: {title: "web"}'),
    "milestones": (
        "",
        "filter: {state: [PLANNED, SUBMITTED]}",
        'filter: {dueFrom: "2026-01-01"}',
        'filter: {title: "mile"}',
    ),
}


@dataclass(slots=True)
class World:
    """Contracts in many states, and those who may or may not see them."""

    contracts: list[str] = field(default_factory=list)
    milestones: list[str] = field(default_factory=list)
    actors: dict[str, Actor] = field(default_factory=dict)

    def add(self, deal: Deal) -> None:
        self.contracts.append(deal.id)
        self.milestones.extend(deal.milestone_ids)


@pytest.fixture
async def world(database: str) -> World:
    deployment = await Deployment.make()
    made = World()
    for amounts, currency in ((("10.00", "20.00"), "USD"), (("7", "9"), "JPY"), (("1.500",), "KWD")):
        made.add(await deployment.propose(*amounts, currency=currency))
    made.add(await deployment.activate("10.00", "20.00", "30.00"))
    submitted = await deployment.fund("10.00", "20.00", currency="EUR")
    await submitted.submit()
    made.add(submitted)
    disputed = await deployment.fund("250.00", "20.00")
    await disputed.mediate()
    made.add(disputed)
    done = await deployment.fund("10.00")
    await done.submit()
    await done.approve()
    made.add(done)
    ending = await deployment.fund("10.00", "20.00")
    await run(commands.End(contract_id=ending.id), by=ending.client)
    made.add(ending)
    await advance_clock(days=1)
    await log.sequence()
    made.actors = {
        "client": deployment.client,
        "freelancer": deployment.freelancer,
        "mediator": deployment.mediator,
        "operator": replace(deployment.operator, scopes=frozenset(Scope)),
        "limited": replace(deployment.client, contract_ids=frozenset(made.contracts[2:5])),
        "limited mediator": replace(deployment.mediator, contract_ids=frozenset(made.contracts[:5])),
        "stranger": party(ids.new(Kind.ACCOUNT)),
        "without scope": replace(deployment.client, scopes=frozenset({Scope.WEBHOOKS_MANAGE})),
    }
    return made


@pytest.fixture
def new_process() -> None:
    """No set of columns was asked for yet."""
    for rows in (contracts.ROWS, milestones.ROWS, events.ROWS):
        rows._known.clear()


class Selector:
    """Makes documents that ask for contracts and milestones in every way, with random fields."""

    def __init__(self, schema: GraphQLSchema, world: World, chance: random.Random) -> None:
        self._schema, self._world, self._chance = schema, world, chance

    def document(self) -> str:
        roots = self._chance.sample(
            [self._contract, self._milestone, self._contracts, self._milestones, self._changes, self._node],
            self._chance.randint(1, 3),
        )
        return "{ " + " ".join(f"r{number}: {root()}" for number, root in enumerate(roots)) + " }"

    def _contract(self) -> str:
        return f'contract(id: "{self._chance.choice(self._world.contracts)}") {self._of("Contract")}'

    def _milestone(self) -> str:
        return f'milestone(id: "{self._chance.choice(self._world.milestones)}") {self._of("Milestone")}'

    def _node(self) -> str:
        found = self._chance.choice(self._world.contracts + self._world.milestones)
        return f'node(id: "{found}") {{ __typename id ... on Contract {self._of("Contract")} }}'

    def _changes(self) -> str:
        inner = f"cursor event {self._of('Event')} "
        return f"changes(first: 20) {{ nodes {{ {inner} contract {self._of('Contract')} milestones {self._of('Milestone')} }} }}"

    def _contracts(self) -> str:
        return self._list("contracts", "Contract")

    def _milestones(self) -> str:
        return self._list("milestones", "Milestone")

    def _list(self, name: str, of: str) -> str:
        chance = self._chance
        given = f"{chance.choice(('first', 'last'))}: {chance.randint(1, 9)}"
        if name in ORDERS:
            given += f" orderBy: {chance.choice(ORDERS[name])} {chance.choice(FILTERS[name])}"
        shape = chance.choice(("nodes {} ", "edges {{ cursor node {} }} ", "nodes {0} edges {{ node {0} }} "))
        page = "pageInfo { hasNextPage startCursor endCursor }" if chance.random() < 0.5 else ""
        return f"{name}({given}) {{ {shape.format(self._of(of))} {page} }}"

    def _of(self, name: str, depth: int = 0) -> str:
        kind = self._schema.type_map[name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        plain = [one for one, definition in kind.fields.items() if is_leaf_type(get_named_type(definition.type))]
        chosen = self._chance.sample(plain, self._chance.randint(1, min(9, len(plain))))
        asked = [f"a{number}: {one}" if self._chance.random() < 0.1 else one for number, one in enumerate(chosen)]
        for one, definition in kind.fields.items():
            inner = get_named_type(definition.type)
            if inner.name in PARTS and self._chance.random() < 0.3:
                asked.append(f"{one} {self._of(inner.name, 9)}")
        if name == "Event" and self._chance.random() < 0.6:
            asked.append(self._typed())
        if depth == 0 and self._chance.random() < 0.6:
            inside = {"Contract": ("milestones", "Milestone"), "Milestone": ("contract", "Contract")}.get(name)
            asked += [f"{inside[0]} {self._of(inside[1], 1)}"] if inside else []
        if name == "Contract" and depth == 0 and self._chance.random() < 0.2:
            asked.append(self._list("timeline", "Event"))
        if name == "Contract" and self._chance.random() < 0.2:
            asked.append(f"progress {{ total closed released cancelled amount {{ amount }} }} {self._current()}")
        if name == "Contract" and self._chance.random() < 0.2:
            asked.append("client { name } freelancer { id type createdAt }")
        if name in ("Contract", "Milestone") and self._chance.random() < 0.15:
            asked.append("nextDeadline { at } allowedActions { action allowed }")
        return "{ " + " ".join(asked) + " }"

    def _typed(self) -> str:
        """Some types of events with all their fields, each under a name of its own."""
        parts = ["__typename"] if self._chance.random() < 0.5 else []
        event: Any = self._schema.type_map["Event"]
        seen: dict[str, str] = {}
        for kind in self._chance.sample(self._schema.get_possible_types(event), self._chance.choice((1, 9, 40))):
            asked = [] if self._chance.random() < 0.8 else ["__typename", "id"]
            for one in sorted(kind.fields.keys() - event.fields.keys()):
                type_ = kind.fields[one].type
                inner = get_named_type(type_)
                alias = "" if seen.setdefault(one, str(type_)) == str(type_) else f"{kind.name}_{one}: "
                asked.append(f"{alias}{one} {'' if is_leaf_type(inner) else self._whole(inner)}")
            parts.append(f"... on {kind.name} {{ {' '.join(asked or ['id'])} }}")
        return " ".join(parts)

    def _whole(self, kind: Any) -> str:
        parts = {one: get_named_type(definition.type) for one, definition in kind.fields.items()}
        return (
            "{ " + " ".join(f"{one} {'' if is_leaf_type(of) else self._whole(of)}" for one, of in parts.items()) + " }"
        )

    def _current(self) -> str:
        more = self._chance.choice(("", "", "allowedActions { action }", "contract { title }"))
        return f"currentMilestone {{ {more} id title state amount {{ amount }} }}"


PARTS = ("Money", "Windows", "Fees", "Ending", "Actor", "EventText")


async def _answer(runner: Runner, document: str, actor: Actor) -> tuple[bytes, Sequence[str]]:
    with database.counting() as statements:
        answer = await runner.run(Operation(query=document), Context(actor=actor))
    body = dict(answer.body)
    # Errors stand in the order in which they came; of the others than the one that reached the root some may be missing.
    if body.get("data") is None:
        body["errors"] = body["errors"][-1:]
    elif "errors" in body:
        body["errors"] = sorted(body["errors"], key=orjson.dumps)
    return orjson.dumps(body), statements


async def test_rows_give_the_answers_that_objects_give(world: World) -> None:
    chance = random.Random(11)
    selector = Selector(build.executable(), world, chance)
    with_rows, with_objects = build.runner(Compilation.EAGER), build.runner(Compilation.OFF)
    seen: dict[str, int] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # what graphql-core gives up, nobody awaits
        for number in range(DOCUMENTS):
            name, actor = chance.choice(list(world.actors.items()))
            document = selector.document()
            expected, _ = await _answer(with_objects, document, actor)
            found, _ = await _answer(with_rows, document, actor)
            assert found == expected, f"{number} {name}: {document}"
            seen[name] = seen.get(name, 0) + (b'"errors"' not in found)
        gc.collect()
    assert {name for name, answered in seen.items() if not answered} == {"without scope"}


@pytest.mark.parametrize(
    ("document", "columns", "others"),
    [
        ("{ contracts { nodes { id title milestones { title amount { amount } } } } }", "title", "description"),
        ("{ milestones { nodes { title contract { state } } } }", "title", "purpose"),
        ("{ changes { nodes { contract { state } milestones { dueOn } } } }", "due_on", "purpose"),
        ("{ changes { nodes { event { type actor { kind } } } } }", "type", "previous_hash"),
        ("{ contracts { nodes { timeline { nodes { hash } } } } }", "hash", "previous_hash"),
        ("{ contracts { nodes { currentMilestone { title } progress { closed } } } }", "title", "purpose"),
        ("{ contracts { nodes { milestones { dueOn } progress { closed } } } }", "amount_minor", "purpose"),
    ],
)
@pytest.mark.usefixtures("new_process")
async def test_only_what_is_selected_is_read_in_as_many_statements(
    world: World, document: str, columns: str, others: str
) -> None:
    with_rows, with_objects = build.runner(Compilation.EAGER), build.runner(Compilation.OFF)
    _, whole = await _answer(with_objects, document, world.actors["client"])
    _, statements = await _answer(with_rows, document, world.actors["client"])
    assert len(statements) == len(whole)
    assert f".{others}" in "".join(whole) or ".*" in "".join(whole)
    assert f".{columns}" in "".join(statements)
    assert f".{others}" not in "".join(statements)


async def test_a_contract_that_a_stranger_asks_for_never_leaves_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Any] = []
    fetch = database.fetch

    async def noted(sql: str, *arguments: object) -> list[database.Record]:
        rows = await fetch(sql, *arguments)
        fetched.extend(rows)
        return rows

    monkeypatch.setattr(database, "fetch", noted)
    document = f'{{ contract(id: "{world.contracts[0]}") {{ id }} milestone(id: "{world.milestones[0]}") {{ id }} }}'
    for compilation in (Compilation.EAGER, Compilation.OFF):
        for name in ("stranger", "mediator", "limited"):
            answer, _ = await _answer(build.runner(compilation), document, world.actors[name])
            assert orjson.loads(answer) == {"data": {"contract": None, "milestone": None}}
    assert fetched == []


TYPED = """{ changes(first: 100) { nodes { cursor event { __typename id type
    ... on ContractProposed { clientId currency windows { reviewHours } fees { clientBasisPoints } title description }
    ... on MilestoneAdded { milestoneId amount { amount currency } dueOn title deliverables }
    ... on MilestoneFunded { depositId amount { amount } fee { amount } }
    ... on MilestoneSubmitted { reviewDueAt message links attachments { name sha256 } }
    ... on DepositStarted { milestoneIds dueAt charge { amount } } } } } }"""


async def test_typed_events_are_answered_from_rows_by_one_statement(world: World, new_process: None) -> None:
    runner = build.runner(Compilation.EAGER)
    simple = "{ changes(first: 100) { nodes { cursor event { id type } } } }"
    plain, untyped = await _answer(runner, simple, world.actors["client"])
    found, typed = await _answer(runner, TYPED, world.actors["client"])
    nodes = [node["event"] for node in orjson.loads(found)["data"]["changes"]["nodes"]]
    ids_plain = [one["event"]["id"] for one in orjson.loads(plain)["data"]["changes"]["nodes"]]
    assert [one["id"] for one in nodes] == ids_plain
    by_type = {one["__typename"]: one for one in nodes}
    assert by_type["MilestoneAdded"]["amount"]["currency"] in ("USD", "JPY", "KWD", "EUR")
    assert by_type["MilestoneSubmitted"]["message"]
    assert by_type["ContractAccepted"].keys() == {"__typename", "id", "type"}
    assert len(typed) == len(untyped)
    assert not any("schema_version" in one for one in untyped), "who doesn't tell them apart reads what it always read"
    assert (runner.counts.compiled, runner.counts.replayed) == (2, 0)


async def test_words_are_null_in_typed_events_once_they_are_erased(world: World) -> None:
    proposed = "timeline { nodes { ... on ContractProposed { title revision } } }"
    document = f'{{ contract(id: "{world.contracts[0]}") {{ {proposed} }} }}'
    for compilation in (Compilation.EAGER, Compilation.OFF):
        before, _ = await _answer(build.runner(compilation), document, world.actors["client"])
        assert orjson.loads(before)["data"]["contract"]["timeline"]["nodes"][0]["title"]
    await erase(world.contracts[0])
    for compilation in (Compilation.EAGER, Compilation.OFF):
        found, _ = await _answer(build.runner(compilation), document, world.actors["client"])
        assert orjson.loads(found)["data"]["contract"]["timeline"]["nodes"][0] == {"title": None, "revision": 1}


async def test_an_event_that_only_a_later_release_knows_is_another_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for later in (("milestone.added", 1), ("contract.accepted", 1)):
        monkeypatch.delitem(CLASSES, later)
    document = "{ changes(first: 100) { nodes { event { __typename type body ... on MilestoneAdded { title } } } } }"
    for compilation in (Compilation.EAGER, Compilation.OFF):
        found, _ = await _answer(build.runner(compilation), document, world.actors["client"])
        nodes = [one["event"] for one in orjson.loads(found)["data"]["changes"]["nodes"]]
        others = {one["type"] for one in nodes if one["__typename"] == "OtherEvent"}
        assert others == {"milestone.added", "contract.accepted"}
        assert all(one["body"] for one in nodes)


def test_what_the_log_withholds_has_no_field() -> None:
    event: Any = build.executable().type_map["Event"]
    kinds = build.executable().get_possible_types(event)
    assert len(kinds) == len(CLASSES) > 90
    assert [kind.name for kind in kinds if WITHHELD & kind.fields.keys()] == []


def test_who_asks_for_ever_other_fields_reads_all_columns_in_the_end() -> None:
    selections = Selections(frozenset({"id", *(f"c{number}" for number in range(100))}))
    for number in range(SELECTIONS_MAX):
        assert selections.reading(frozenset({"id", f"c{number}"})).columns == tuple(sorted(("id", f"c{number}")))
    assert set(selections.reading(frozenset({"id", "c99"})).columns) == selections.every
    assert len(selections.reading(frozenset({"id", "c0"})).columns) == 2
