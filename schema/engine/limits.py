"""Limits how much one operation may ask for: depth, aliases, directives, tokens, objects that it could answer with, and cost.

Strawberry's own limiters count through fragments again for each use, which a short chain of fragments turns into hours;
here every fragment is measured once per walk, and a document is walked once for each choice of its page sizes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    visit,
)
from graphql.validation.rules import overlapping_fields_can_be_merged

from schema.engine import costs
from schema.engine.page_sizes import PAGE_DEFAULT, PAGE_MAX

DEPTH_MAX: Final = 12
ALIASES_MAX: Final = 50
DIRECTIVES_MAX: Final = 50

OBJECTS_MAX: Final = 20_000
"""Objects in the largest answer that the operation could get. 100 contracts with 100 events each fit, a level more doesn't."""

LIST_LENGTH_ASSUMED: Final = 10
"""What a list without a page size counts: plans have three to five milestones; 200 is the exception."""

LISTED_MAX: Final = 2_500
"""Objects in all the lists without a page size that one operation gets, counted when they are known. 12 plans of 200
milestones fit, or 100 of 25. With all that can be asked of a milestone an answer keeps a process busy for about a second then."""

COST_MAX: Final = 100_000
"""Points that one operation may cost: about a second of a process."""

IDS_MAX: Final = 100
"""What a list of ids counts at most: a longer one is refused."""

_DIGITS_MAX: Final = 10

PAGE_SIZES: Final = ("first", "last")
"""The arguments that say how large a page is."""

SIZES_KEPT_MAX: Final = 64
"""Sizes that are remembered per document, by its page sizes."""

LISTED_UNKNOWN: Final = 10
"""What an entry of a list costs where that was measured, but is not remembered."""

COMPARISONS_MAX: Final = 20_000
"""What validation may spend on finding out whether fields of the same name can be merged: 0.1 s. graphql-core's own bound
lets one request of 3,000 tokens, without credentials, keep a process busy for two seconds."""

overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS_MAX


_INTROSPECTION: Final = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
"""Fields of every query that no type lists. They need no credentials, so they count like any other."""


class TooComplex(Exception):
    """The operation asks for more than one request may; the message says by how much."""


def _given(first: object) -> int:
    """A page size, or the number of ids, from a variable; nonsense is refused elsewhere and counts as the most here."""
    if first is None:
        return PAGE_DEFAULT
    if isinstance(first, list):
        return min(len(first), IDS_MAX)
    return first if isinstance(first, int) and 0 <= first <= PAGE_MAX else PAGE_MAX


def _number(literal: IntValueNode) -> int:
    """A page size that is written out; Python reads no number of thousands of digits, nor is any such a page size."""
    return int(literal.value) if len(literal.value) < _DIGITS_MAX else PAGE_MAX + 1


@dataclass(frozen=True, slots=True)
class Size:
    """What one operation, or a part of it, was measured to be; `objects` is how many it could answer with."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    objects: int = 0
    cost: float = 0
    beside: float = 0
    """What it costs beside its entries, if it stands in a connection: the count of a list is none of them."""
    statements: int = 0
    """How many fields ask PostgreSQL, each once for all objects of its level."""
    busy: float = 0
    """For how long it keeps a process busy, in points: less than the cost, where light objects are many."""
    schemas: int = 0
    """How often it asks for the whole schema."""
    listed: float = 0
    """What the dearest entry of a list without a page size costs."""

    def check(self) -> None:
        """Raise `TooComplex` for the first limit that is exceeded."""
        if self.depth > DEPTH_MAX or self.aliases > ALIASES_MAX or self.directives > DIRECTIVES_MAX:
            self._refuse()
        if self.schemas > 1:
            raise TooComplex(f"This operation asks for `__schema` {self.schemas} times; once is enough.")
        if self.objects > OBJECTS_MAX:
            raise TooComplex(
                f"This operation could answer with {self.objects} objects; at most {OBJECTS_MAX} are allowed. "
                "Ask for smaller pages (`first`) or fewer levels."
            )
        if self.cost > COST_MAX:
            raise TooComplex(
                f"This operation would cost {self.cost:.0f} points; at most {COST_MAX} are allowed. "
                "Ask for smaller pages, or for less at once."
            )

    def _refuse(self) -> None:
        for what, found, most in (
            ("levels deep", self.depth, DEPTH_MAX),
            ("aliases", self.aliases, ALIASES_MAX),
            ("directives", self.directives, DIRECTIVES_MAX),
        ):
            if found > most:
                raise TooComplex(f"This operation has {found} {what}; at most {most} are allowed.")


class Meter:
    """Measures one operation of a valid document; sizes are kept per value of the variables that say how many."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._document = document
        self._operation = operation
        self._page_variables = _page_variables(document)
        self._defaults = _defaults(operation)
        self._known: dict[tuple[int, ...], Size] = {}
        self._inputs: costs.Inputs = {}
        self._input_defaults: costs.Inputs = {}

    def knows(self, variables: Mapping[str, Any]) -> bool:
        """Whether it was measured with these page sizes before."""
        return self._pages(variables) in self._known

    def listed(self, variables: Mapping[str, Any]) -> float:
        """What the dearest entry of a list without a page size costs; to be asked after `check`."""
        size = self._known.get(self._pages(variables))
        return max(size.listed, costs.OBJECT) if size is not None else LISTED_UNKNOWN

    def busy(self, variables: Mapping[str, Any]) -> float:
        """For how long the operation keeps a process busy, in points; to be asked after `check`."""
        size = self._known.get(self._pages(variables))
        return size.busy + self._entries(variables) if size is not None else math.inf

    def check(self, variables: Mapping[str, Any]) -> int:
        """What the operation costs with these variables; raises `TooComplex` if that, or another size, is more than may be."""
        pages = self._pages(variables)
        size = self._known.get(pages)
        if size is None:
            size = self._measure(dict(zip(self._page_variables, pages, strict=True)))
            if len(self._known) < SIZES_KEPT_MAX:
                self._known[pages] = size
        entries = self._entries(variables)
        if entries:
            size = replace(size, cost=size.cost + entries)
        size.check()
        return math.ceil(size.cost)

    def _entries(self, variables: Mapping[str, Any]) -> int:
        return costs.of_variables(variables, self._inputs, self._input_defaults) if self._inputs else 0

    def _pages(self, variables: Mapping[str, Any]) -> tuple[int, ...]:
        if not self._page_variables:
            return ()
        return tuple([_given(variables.get(name, self._defaults.get(name))) for name in self._page_variables])

    def _measure(self, pages: Mapping[str, int]) -> Size:
        root = {
            OperationType.QUERY: self._schema.query_type,
            OperationType.MUTATION: self._schema.mutation_type,
            OperationType.SUBSCRIPTION: self._schema.subscription_type,
        }[self._operation.operation]
        walk = _Measure(self._schema, self._document, pages)
        size = walk.selection(self._operation.selection_set, root)
        self._inputs, self._input_defaults = walk.inputs, costs.of_defaults(self._operation, walk.inputs)
        return replace(size, cost=math.ceil(size.cost) + costs.OPERATION + costs.STATEMENT * size.statements)


@lru_cache(maxsize=4)
def lengths_of(schema: GraphQLSchema) -> Mapping[tuple[str, str], float]:
    """How many entries the lists have that are the same for everybody: those of introspection by this schema, for `fields`
    and the like the mean of all types."""
    types = list(schema.type_map.values())
    fields = [one for kind in types for one in getattr(kind, "fields", {}).values()]
    objects = [kind for kind in types if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)]
    inputs = [kind for kind in types if isinstance(kind, GraphQLInputObjectType)]
    implemented = sum(len(kind.interfaces) for kind in objects)
    totals = {
        ("__Schema", "types"): (len(types), 1),
        ("__Schema", "directives"): (len(schema.directives), 1),
        ("__Type", "fields"): (sum(len(kind.fields) for kind in objects), len(types)),
        ("__Type", "inputFields"): (sum(len(kind.fields) for kind in inputs), len(types)),
        ("__Type", "enumValues"): (sum(len(getattr(kind, "values", ())) for kind in types), len(types)),
        ("__Type", "interfaces"): (implemented, len(types)),
        ("__Type", "possibleTypes"): (implemented, len(types)),
        ("__Field", "args"): (sum(len(getattr(one, "args", ())) for one in fields), len(fields)),
        ("__Directive", "args"): (len(schema.directives), len(schema.directives)),
        ("__Type", "ofType"): (1, 2),  # every other type that is named is a list or non-null, and so on
    }
    return {**costs.LENGTHS} | {place: total / count for place, (total, count) in totals.items()}


def _page_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that stand for a page size, or for a list of ids, anywhere in the document."""
    found: set[str] = set()

    class Find(Visitor):
        def enter_argument(self, node: ArgumentNode, *_: object) -> None:
            if node.name.value in (*PAGE_SIZES, "ids") and isinstance(node.value, VariableNode):
                found.add(node.value.name.value)

    visit(document, Find())
    return tuple(sorted(found))


def _defaults(operation: OperationDefinitionNode) -> dict[str, int]:
    """What the variables of the operation are if the request doesn't say: whole numbers, and how many a list has."""
    defaults = {one.variable.name.value: one.default_value for one in operation.variable_definitions or ()}
    return {
        name: _number(value) if isinstance(value, IntValueNode) else len(value.values)
        for name, value in defaults.items()
        if isinstance(value, IntValueNode | ListValueNode)
    }


def _is_wrapped(node: FieldNode, definition: GraphQLField) -> bool:
    """Whether it is a connection or its edges, which are only wrapped around what is counted: one object an entry."""
    return "first" in definition.args or (node.name.value == "edges" and not definition.args)


def _together(sizes: Sequence[Size]) -> Size:
    """The size of several parts that are all answered."""
    return Size(
        max((size.depth for size in sizes), default=0),
        sum(size.aliases for size in sizes),
        sum(size.directives for size in sizes),
        sum(size.objects for size in sizes),
        sum(size.cost for size in sizes),
        sum(size.beside for size in sizes),
        sum(size.statements for size in sizes),
        sum(size.busy for size in sizes),
        sum(size.schemas for size in sizes),
        max((size.listed for size in sizes), default=0),
    )


class _Measure:
    """One walk over a valid document; each fragment is walked once, however often it is used."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, pages: Mapping[str, int]) -> None:
        self._schema = schema
        self._pages = pages
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._lengths = lengths_of(schema)
        self._known: dict[str, Size] = {}
        self.inputs: Counter[tuple[str, int]] = Counter()

    def selection(self, selections: SelectionSetNode | None, parent: Any) -> Size:
        nodes = selections.selections if selections is not None else ()
        sizes = [self._of(node, parent) for node in nodes if self._only_type(node, parent) is None]
        sizes += self._exclusive(nodes, parent)
        return _together(sizes)

    def _exclusive(self, nodes: Sequence[Any], parent: Any) -> Iterator[Size]:
        """Fragments of which an object gets those of its own type alone: all are counted, but only the dearest is answered."""
        by_type: dict[str, list[Size]] = {}
        for node in nodes:
            name = self._only_type(node, parent)
            if name is not None:
                by_type.setdefault(name, []).append(self._of(node, parent))
        sizes = [_together(those) for those in by_type.values()]
        if sizes:
            yield replace(
                _together(sizes),
                objects=max(size.objects for size in sizes),
                cost=max(size.cost for size in sizes),
                beside=max(size.beside for size in sizes),
                busy=max(size.busy for size in sizes),
            )

    def _only_type(self, node: Any, parent: Any) -> str | None:
        """The one type whose objects a fragment is for, where objects of several types stand."""
        if isinstance(node, FieldNode) or isinstance(parent, GraphQLObjectType):
            return None
        fragment = node if isinstance(node, InlineFragmentNode) else self._fragments[node.name.value]
        condition = fragment.type_condition
        if condition is None or not isinstance(self._schema.type_map[condition.name.value], GraphQLObjectType):
            return None
        name: str = condition.name.value
        return name

    def _of(self, node: Any, parent: Any) -> Size:
        inner = self._field(node, parent) if isinstance(node, FieldNode) else self._fragment(node, parent)
        return replace(inner, directives=inner.directives + len(node.directives or ()))

    def _fragment(self, node: FragmentSpreadNode | InlineFragmentNode, parent: Any) -> Size:
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            return self.selection(
                node.selection_set, self._schema.type_map[condition.name.value] if condition else parent
            )
        name = node.name.value
        if name not in self._known:
            fragment = self._fragments[name]
            self._known[name] = self.selection(
                fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value]
            )
        return self._known[name]

    def _field(self, node: FieldNode, parent: Any) -> Size:
        aliases = 1 if node.alias else 0
        again = costs.AGAIN * aliases
        fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
        introspects = _INTROSPECTION.get(node.name.value)
        definition = introspects or fields.get(node.name.value)
        if definition is None:  # `__typename`, which no type lists
            return Size(aliases=aliases, cost=again, busy=again)
        own = self._own_cost(node, parent)
        # What a subscription looks up is in its own price, since it asks when it begins and not for each answer.
        statements = int(costs.asks(definition) and parent is not self._schema.subscription_type)
        type_ = get_named_type(definition.type)
        if is_leaf_type(type_):
            if costs.is_beside(parent, node.name.value):
                return Size(aliases=aliases, beside=own, statements=statements)
            price = own or (costs.OBJECT if definition.args else again)
            return Size(aliases=aliases, cost=price, busy=price, statements=statements)
        inner = self.selection(node.selection_set, type_)
        is_whole, times = f"{parent.name}.{node.name.value}" in costs.WHOLE, self._times(node, parent, definition)
        is_wrapped = _is_wrapped(node, definition)
        entry = inner.cost if is_wrapped else inner.cost + costs.of_object(type_.name)
        busy = inner.busy if is_wrapped else inner.busy + costs.time_of_object(type_.name)
        is_listed = self._is_listed(node, parent, definition) and not is_whole
        return Size(
            # How deep the schema may be asked for is graphql-core's to say: tools ask for more levels than data has.
            depth=0 if introspects else inner.depth + 1,
            aliases=inner.aliases + aliases,
            directives=inner.directives,
            objects=self._objects(node, definition, inner.objects),
            cost=own if is_whole else own + inner.beside + times * entry,
            busy=own if is_whole else own + inner.beside + times * busy,
            statements=inner.statements + statements,
            schemas=inner.schemas + (node.name.value == "__schema"),
            listed=max(inner.listed, entry if is_listed else 0),
        )

    def _own_cost(self, node: FieldNode, parent: Any) -> int:
        """What the field costs for each object that it is asked of, with the lists that stand in its arguments."""
        is_mutation = parent is self._schema.mutation_type
        entry = costs.of_entry(parent, node.name.value, is_mutation=is_mutation)
        for argument in node.arguments or ():
            for name in costs.variables_in(argument):
                self.inputs[name, entry] += 1
        return costs.of_field(parent, node.name.value, is_mutation=is_mutation) + costs.of_literals(node, entry)

    def _times(self, node: FieldNode, parent: Any, definition: GraphQLField) -> float:
        """How often what is in the field comes: once for each entry of its list or page."""
        known = self._lengths.get((parent.name, node.name.value))
        if known is not None:
            return known
        if "first" in definition.args:
            return max(self._page(node), 1)
        if "ids" in definition.args:
            return max(self._ids(node), 1)
        return LIST_LENGTH_ASSUMED if self._is_listed(node, parent, definition) else 1

    def _is_listed(self, node: FieldNode, parent: Any, definition: GraphQLField) -> bool:
        """Whether it is a list whose length nobody says."""
        return (
            is_list_type(get_nullable_type(definition.type))
            and not definition.args.keys() & {"first", "ids"}
            and (parent.name, node.name.value) not in self._lengths
            and (bool(definition.args) or node.name.value not in ("edges", "nodes"))
        )

    def _objects(self, node: FieldNode, definition: GraphQLField, inner: int) -> int:
        """How many objects a field answers with: itself and what is in it, as often as it comes.

        A connection and its edges are only wrapped around what is counted.
        """
        if "first" in definition.args:
            return self._page(node) * max(1, inner)
        if node.name.value == "edges" and not definition.args:
            return inner
        if "ids" in definition.args:
            return (1 + inner) * max(self._ids(node), 1)
        is_list = is_list_type(get_nullable_type(definition.type)) and node.name.value != "nodes"
        return (1 + inner) * (LIST_LENGTH_ASSUMED if is_list else 1)

    def _page(self, node: FieldNode) -> int:
        given = [one.value for one in node.arguments or () if one.name.value in PAGE_SIZES]
        return max(map(self._size, given), default=PAGE_DEFAULT)

    def _size(self, value: object) -> int:
        if isinstance(value, VariableNode):
            return self._pages[value.name.value]
        return _given(_number(value)) if isinstance(value, IntValueNode) else PAGE_DEFAULT

    def _ids(self, node: FieldNode) -> int:
        value = next((given.value for given in node.arguments or () if given.name.value == "ids"), None)
        if isinstance(value, VariableNode):
            return self._pages[value.name.value]
        return min(len(value.values), IDS_MAX) if isinstance(value, ListValueNode) else 1
