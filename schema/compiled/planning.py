"""Makes the plan of an operation from its nodes, by graphql-core's own rules for collecting fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from keyword import iskeyword
from typing import Any, Final

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetails, FragmentDetails, collect_fields, collect_subfields
from graphql.execution.executor import default_field_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path

from schema.compiled.adapters.core import Adapter, DirectCall
from schema.compiled.arguments import arguments_of
from schema.compiled.declare import TYPENAME, Projection, Ready, Selected
from schema.compiled.earned import Earned, NotEarned
from schema.compiled.leaves import Leaves
from schema.compiled.plan import AbstractPlace, Field, Kind, Kinds, KindsPlace, Place, Plan, Selection
from schema.compiled.readers import readers_of
from schema.compiled.source import generate

CONDITIONS: Final = ("skip", "include")


class NotCompiled(Exception):
    """An operation that is left to graphql-core as a whole; the message says why."""


class NotAtOnce(Exception):
    """An operation with more fields than are planned at once."""


class Planner:
    """Plans one operation for given values of the variables that its `@skip` and `@include` ask for."""

    def __init__(
        self,
        schema: GraphQLSchema,
        adapter: Adapter,
        operation: OperationDefinitionNode,
        fragments: dict[str, FragmentDetails],
        variables: VariableValues,
        leaves: Leaves,
        fields_max: int,
        earned: Earned,
    ) -> None:
        self._schema, self._adapter, self._leaves, self._operation = schema, adapter, leaves, operation
        self._fragments, self._variables = fragments, variables
        self._fields_max = self._most = fields_max
        self._earned, self._planned = earned, 0
        self._selections: list[Selection] = []

    def plan(self, *, at_once: int | None = None) -> Plan:
        """The plan with its functions. Raises `NotCompiled`, `NotEarned`, and `NotAtOnce` for more fields than `at_once`."""
        self._most = self._fields_max if at_once is None else at_once
        try:
            with self._allowed():
                roots = self._roots()
            source = self._write()
        except RecursionError:
            raise NotCompiled("nested too deeply") from None
        self._most = self._fields_max
        for root in roots:
            _find_alone(root)
        return Plan(roots, source, lambda: self._planned)

    @contextmanager
    def _allowed(self) -> Iterator[None]:
        """Plan as many fields as were earned; what is given up before its end took nothing."""
        before = self._planned
        try:
            with self._earned.attempt():
                yield
        except (NotAtOnce, NotEarned):
            self._earned.give_back(self._planned - before)
            self._planned = before
            raise

    def _write(self) -> str:
        """Give the selections that were planned their slots and their functions."""
        selections, self._selections = self._selections, []
        for one in selections:
            one.give_slots()
        return generate(selections, self._leaves)

    def _roots(self) -> list[Selection]:
        kind = self._operation.operation
        type_ = self._schema.get_root_type(kind)
        if type_ is None:
            raise NotCompiled("no such root type")
        collected = collect_fields(self._schema, self._fragments, self._variables, type_, self._operation)
        if collected.new_defer_usages:
            raise NotCompiled("@defer")
        groups = collected.grouped_field_set
        if kind is not OperationType.MUTATION:
            return [self._selection(type_, groups, None)]
        return [self._selection(type_, {key: details}, None) for key, details in groups.items()]

    def _selection(
        self, type_: GraphQLObjectType, groups: dict[str, list[FieldDetails]], path: Path | None
    ) -> Selection:
        selection = Selection(type_, f"s{len(self._selections)}", is_root=path is None)
        self._selections.append(selection)
        selection.exact = self._adapter.class_of(type_)
        for key, details in groups.items():
            selection.add(self._field(type_, key, details, Path(path, key, type_.name)))
        self._project(selection)
        for field in selection.fields:
            if field.kind is Kind.BATCH and field.call.beside:
                field.beside = _selected_at(type_.name, selection.fields)
        return selection

    def _field(self, parent: GraphQLObjectType, key: str, details: list[FieldDetails], path: Path) -> Field:
        if self._planned >= self._fields_max:
            raise NotCompiled(f"more than {self._fields_max} fields")
        if self._planned >= self._most:
            raise NotAtOnce
        self._earned.take()
        self._planned += 1
        definition = self._schema.get_field(parent, details[0].node.name.value)
        if definition is None:
            raise NotCompiled("not valid")
        field = Field(key, parent, definition, details, path)
        self._decide(field)
        if field.kind is not Kind.FOREIGN and field.kind is not Kind.TYPENAME:
            field.place = self._place(field)
        if field.kind in (Kind.CALL, Kind.BATCH):
            field.selected = _selected_below(field)
            field.batches_below = _batches_below(field) if field.selected is not None else {}
        return field

    def _decide(self, field: Field) -> None:
        """How the value of the field is had."""
        if field.name == "__typename":
            field.kind, field.read = Kind.TYPENAME, _constant(field.parent.name)
            return
        if field.name.startswith("__"):
            field.kind = Kind.FOREIGN
            return
        read = self._adapter.attribute(field.definition, field.name)
        if read is not None:
            field.kind = Kind.ATTRIBUTE
            field.attribute = read if isinstance(read, str) and read.isidentifier() and not iskeyword(read) else None
            field.read = _getter(read) if isinstance(read, str) else read
            return
        field.arguments = arguments_of(field.definition, field.nodes[0])
        if self._adapter.is_event(field.definition):
            field.kind, field.read = Kind.EVENT, _same
            if not field.arguments.is_constant:  # they are looked at, and may be refused
                field.kind, field.call = Kind.CALL, DirectCall(field.definition.resolve or default_field_resolver)
            return
        field.call = self._adapter.batch(field.definition)
        field.kind = Kind.BATCH
        if field.call is None:
            field.kind, field.call = Kind.CALL, self._adapter.call(field.definition)

    def _place(self, field: Field) -> Place | None:
        type_ = named(field.type)
        if is_leaf_type(type_):
            return None
        if isinstance(type_, GraphQLObjectType):
            return Place(self._below(type_, field))
        projection = self._adapter.projection(type_)
        if projection is not None and projection.type_of is not None:
            return self._place_of_kinds(type_, projection, projection.type_of, field)
        return AbstractPlace(type_, lambda possible: self._later(possible, field))

    def _place_of_kinds(self, type_: Any, projection: Projection, type_of: Callable[[Any], str], field: Field) -> Place:
        """Objects of an interface whose rows tell their type: those types that no fragment names have one selection."""
        possible = self._schema.get_possible_types(type_)
        classes = {cls: one.name for one in possible if (cls := self._adapter.class_of(one)) is not None}
        kinds = Kinds(classes, projection.rows, type_of)
        names = self._named_below(type_, field)
        named = {one.name: self._below(one, field) for one in possible if one.name in names}
        others = [one for one in possible if one.name not in names]
        rest = self._below(others[0], field) if others else None
        if rest is not None:
            rest.kinds = kinds
        return KindsPlace(type_, kinds, named, rest)

    def _named_below(self, type_: Any, field: Field) -> set[str]:
        """The types of which something is selected that is not selected of every type of the interface."""
        found: set[str] = set()
        spread: set[str] = set()
        pending = [one.node.selection_set for one in field.details]
        while pending:
            selections = pending.pop()
            for node in selections.selections if selections is not None else ():
                if isinstance(node, FieldNode):
                    continue
                fragment: Any = node
                if isinstance(node, FragmentSpreadNode):
                    if node.name.value in spread:
                        continue
                    spread.add(node.name.value)
                    fragment = self._fragments[node.name.value].definition
                found |= self._told_apart(type_, fragment.type_condition)
                pending.append(fragment.selection_set)
        return found

    def _told_apart(self, type_: Any, condition: Any) -> set[str]:
        """The types that a fragment on this condition is about, if it isn't about all that implement the interface."""
        named_type: Any = self._schema.get_type(condition.name.value) if condition is not None else type_
        if named_type is type_ or named_type in type_.interfaces:
            return set()
        if isinstance(named_type, GraphQLObjectType):
            return {named_type.name}
        return {one.name for one in self._schema.get_possible_types(named_type)}

    def _later(self, type_: GraphQLObjectType, field: Field) -> Selection | None:
        """What is selected of one type of an interface or a union, while the plan is running already. Raises `NotEarned`."""
        try:
            with self._allowed():
                selection = self._below(type_, field)
            selection.pure = False  # its objects are held by occurrences
            self._write()
        except (NotCompiled, RecursionError):
            self._selections = []
            return None
        except NotEarned:
            self._selections = []
            raise
        return selection

    def _below(self, type_: GraphQLObjectType, field: Field) -> Selection:
        collected = collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, type_, field.details
        )
        if collected.new_defer_usages:
            raise NotCompiled("@defer")
        return self._selection(type_, collected.grouped_field_set, field.path)

    def _project(self, selection: Selection) -> None:
        """Let rows stand for the objects of the selection if they can answer all of it."""
        projection = self._adapter.projection(selection.type)
        if projection is None:
            return
        selection.wants_projection = True
        for field in selection.fields:
            if not _is_answered(field, projection):
                return
        selection.projection, selection.readers = projection, readers_of(projection)


def check(operation: OperationDefinitionNode, fragments: dict[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """The variables that `@skip` and `@include` ask for, by name.

    Raises `NotCompiled` if directives change the execution in another way.
    """
    names: set[str] = set()
    if any(one.name.value == "experimental_disableErrorPropagation" for one in operation.directives or ()):
        raise NotCompiled("@experimental_disableErrorPropagation")
    for fragment in fragments.values():
        if fragment.variable_definitions:
            raise NotCompiled("variables of a fragment")
    pending: list[Any] = [operation.selection_set, *(one.selection_set for one in fragments.values())]
    while pending:
        for node in pending.pop().selections:
            for directive in node.directives or ():
                name = directive.name.value
                if name in ("defer", "stream"):
                    raise NotCompiled(f"@{name}")
                if name in CONDITIONS:
                    names.update(one.value.name.value for one in directive.arguments if hasattr(one.value, "name"))
            if getattr(node, "selection_set", None):
                pending.append(node.selection_set)
    return tuple(sorted(names))


def named(type_: Any) -> Any:
    """The type without lists and non-nulls around it."""
    while isinstance(type_, GraphQLNonNull | GraphQLList):
        type_ = type_.of_type
    return type_


def _selected_below(field: Field) -> Selected | None:
    """What the resolver of a field may answer with rows of: the one type with a projection that plain attributes lead to."""
    found: list[_Rows | None] = []
    _look(field, found)
    places = [one for one in found if one is not None]
    types = {one.type_name for one in places}
    if None in found or len(types) != 1:
        return None
    selected = _selected_at(types.pop(), [field for one in places for field in one.fields])
    if any(one.tells_apart for one in places):
        return replace(selected, fields=selected.fields | {TYPENAME})
    return selected


def _selected_at(type_name: str, fields: list[Field]) -> Selected:
    fields = [one for one in fields if one.kind is not Kind.TYPENAME]
    return Selected(type_name, frozenset(one.name for one in fields), _below(fields))


def _batches_below(field: Field) -> dict[str, Field]:
    """The batches of the objects that rows may stand for, of those whose name comes once."""
    found: list[_Rows | None] = []
    _look(field, found)
    batches = [one for place in found if place is not None for one in place.fields if one.kind is Kind.BATCH]
    names = Counter(one.name for one in batches)
    return {one.name: one for one in batches if names[one.name] == 1}


def _below(fields: list[Field]) -> frozenset[tuple[str, Selected]]:
    """What is selected below batches and attributes, of those whose name comes with one selection."""
    found: dict[str, set[Selected | None]] = {}
    for one in fields:
        if one.kind is Kind.BATCH:
            found.setdefault(one.name, set()).add(one.selected)
        elif one.kind is Kind.ATTRIBUTE:
            found.setdefault(one.name, set()).add(_selected_below(one))
    single = [(name, next(iter(those))) for name, those in found.items() if len(those) == 1]
    return frozenset((name, selected) for name, selected in single if selected is not None)


def _find_alone(selection: Selection) -> None:
    """Mark the fields with which nothing else is resolved, level by level: a resolver at the root, which is called once, and
    batches below it."""
    if len(selection.work) == 1:
        (field,) = selection.work
        field.is_alone = selection.is_root or field.kind is Kind.BATCH
        if field.place is not None and field.place.only is not None:
            _find_alone(field.place.only)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A place whose objects rows may stand for: their type, and what is selected of them."""

    type_name: str
    fields: list[Field]
    tells_apart: bool = False


def _look(field: Field, found: list[_Rows | None]) -> None:
    """Collect the places that rows answer; `None` for each that they don't."""
    place = field.place
    if place is None:
        return
    if isinstance(place, KindsPlace):
        fields = [one for selection in place.selections for one in selection.fields]
        is_answered = all(selection.projection is not None for selection in place.selections)
        found.append(_Rows(place.type.name, fields, place.tells_apart) if is_answered else None)
        return
    if place.only is None:
        return  # rows don't say of which type they are
    selection = place.only
    if selection.wants_projection:
        found.append(_Rows(selection.type.name, selection.fields) if selection.projection is not None else None)
        return
    for below in selection.fields:
        if below.kind is Kind.ATTRIBUTE:
            _look(below, found)


def _is_answered(field: Field, projection: Projection) -> bool:
    """Whether a row answers the field as an object would."""
    if field.kind is Kind.TYPENAME:
        return True
    if field.kind is Kind.BATCH:
        return field.name in projection.batches
    if field.kind is not Kind.ATTRIBUTE or field.name not in projection.fields:
        return False
    return field.place is None or not isinstance(projection.fields[field.name], Ready)


def _getter(attribute: str) -> Callable[[Any], Any]:
    return lambda source: getattr(source, attribute)


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def _same(source: Any) -> Any:
    return source
