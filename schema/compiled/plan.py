"""The plan of an operation: what is selected at each place, and how the value of each field is had.

A selection is *pure* if nothing below it calls a resolver: its answer is read off the objects by generated code alone.
Elsewhere an object is held by an *occurrence*, the list `[object, selection, where, value, value, …]`, in which resolvers' values
are recorded, so that completing can be done again without calling anything twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from graphql import FieldNode, GraphQLField, GraphQLNonNull, GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import FieldDetails

from schema.compiled.declare import Projection, Selected
from schema.compiled.leaves import Unusual

Occurrence: TypeAlias = list[Any]

OBJECT: Final = 0
SELECTION: Final = 1
WHERE: Final = 2
FIRST_SLOT: Final = 3

Where: TypeAlias = tuple[Any, str | int, str | None] | None
"""A place in the answer: the one above it, the key or index there, and the type whose key it is; `None` for the root."""


class Kind(Enum):
    """How the value of a field is had."""

    TYPENAME = auto()
    """It is the name of the type."""
    ATTRIBUTE = auto()
    """It is read from the object."""
    EVENT = auto()
    """It is the object itself: the one field of a subscription."""
    CALL = auto()
    """A resolver is called for each object, and its value recorded."""
    BATCH = auto()
    """A batch is called for all objects, and its values recorded."""
    FOREIGN = auto()
    """graphql-core executes it and all below it."""


class Field:
    """One response key of a selection."""

    __slots__ = (
        "arguments", "attribute", "batches_below", "beside", "call", "definition", "details", "is_alone", "key", "kind", "name",
        "nodes", "parent", "path", "place", "read", "selected", "shape_slot", "slot", "type",
    )  # fmt: skip

    kind: Kind
    attribute: str | None
    """The attribute that is read, if reading is no more than that."""
    read: Callable[[Any], Any]
    """The value of the field on an object, for fields that are neither called nor batched."""
    call: Any
    arguments: Any
    selected: Selected | None
    beside: Selected | None
    """What is selected of its parents, for a batch that wants to know."""
    batches_below: dict[str, Field]
    """The batches that are selected just once of what it answers with, by name; for fields that are called."""
    place: Place | None
    """Where the objects below it stand; `None` for leaves."""

    def __init__(
        self, key: str, parent: GraphQLObjectType, definition: GraphQLField, details: list[FieldDetails], path: Any
    ) -> None:
        self.key, self.parent, self.definition, self.details, self.path = key, parent, definition, details, path
        self.nodes: list[FieldNode] = [one.node for one in details]
        self.name = self.nodes[0].name.value
        self.type: GraphQLOutputType = definition.type
        self.slot = self.shape_slot = 0
        self.is_alone = False
        """Whether nothing else is resolved at the same time."""
        self.batches_below = {}
        self.place = self.beside = self.attribute = self.selected = self.call = self.arguments = None

    @property
    def is_pure(self) -> bool:
        return self.kind not in (Kind.CALL, Kind.BATCH, Kind.FOREIGN) and (self.place is None or self.place.pure)

    def __repr__(self) -> str:
        return f"<Field {self.parent}.{self.name} as {self.key}: {self.kind.name}>"


class Selection:
    """The merged fields of one object type at one place of the operation."""

    __slots__ = (
        "blank", "by_key", "complete", "complete_all", "exact", "fields", "foreign", "has_type_check", "is_root", "kinds", "name",
        "projection", "pure", "readers", "size", "type", "wants_projection", "work",
    )  # fmt: skip

    complete: Callable[[Any], dict[str, Any]]
    complete_all: Callable[[Any], list[dict[str, Any]]]
    blank: tuple[None, ...]

    def __init__(self, type_: GraphQLObjectType, name: str, *, is_root: bool) -> None:
        self.type, self.name, self.is_root = type_, name, is_root
        self.fields: list[Field] = []
        self.by_key: dict[str, Field] = {}
        self.work: list[Field] = []
        """The fields that have something to do before completing."""
        self.size = FIRST_SLOT
        self.pure = True
        self.foreign = False
        self.exact: type | None = None
        """Objects of exactly this class are known to be of the type."""
        self.has_type_check = type_.is_type_of is not None
        self.projection: Projection | None = None
        """What reads rows in place of objects, if it can read everything that is selected here."""
        self.wants_projection = False
        """Whether the type has a projection at all."""
        self.kinds: Kinds | None = None
        """The types whose objects stand here, if they are of many with the same selected; `type` is one of them."""
        self.readers: dict[str, Callable[[Any], Any]] = {}

    def add(self, field: Field) -> None:
        self.fields.append(field)
        self.by_key[field.key] = field
        self.pure = self.pure and field.is_pure
        self.foreign = self.foreign or field.kind is Kind.FOREIGN

    def give_slots(self) -> None:
        """Decide where in an occurrence each field's values are recorded."""
        self._hold_alike()
        for field in self.fields:
            if field.kind in (Kind.CALL, Kind.BATCH):
                field.slot, self.size = self.size, self.size + 1
            if field.place is not None and not field.place.pure and field.kind is not Kind.FOREIGN:
                field.shape_slot, self.size = self.size, self.size + 1
            if field.slot or field.shape_slot:
                self.work.append(field)
        self.blank = (None,) * (self.size - FIRST_SLOT)

    def _hold_alike(self) -> None:
        """Hold the objects of an attribute with several keys by occurrences under all of them, or under none.

        Some iterables can be read only once: whatever reads them has to come in the order of the keys.
        """
        keys = Counter(one.name for one in self.fields)
        again = [one for one in self.fields if keys[one.name] > 1 and one.kind is Kind.ATTRIBUTE and one.place]
        held = {one.name for one in again if not one.is_pure}
        for field in again:
            if field.name in held and field.place is not None:
                field.place.hold()

    def hold(self) -> None:
        """As its place does."""
        self.pure = False
        for field in self.fields:
            if field.place is not None:
                field.place.hold()

    def occurrence(self, value: Any, where: Where) -> Occurrence:
        """A new occurrence of an object, with nothing recorded yet."""
        return [value, self, where, *self.blank]


class Place:
    """Where objects of one type stand below a field."""

    __slots__ = ("by_class", "only", "pure", "type")

    only: Selection | None

    def __init__(self, selection: Selection) -> None:
        self.type: Any = selection.type
        self.only, self.pure = selection, selection.pure
        self.by_class: dict[type, Selection] = {}
        """The selections of objects whose class tells their type."""
        if selection.exact is not None:
            self.by_class[selection.exact] = selection
        if selection.projection is not None:
            self.by_class.update(dict.fromkeys(selection.projection.rows, selection))

    def hold(self) -> None:
        """Have its objects held by occurrences, and all below them, though nothing there calls a resolver."""
        self.pure = False
        if self.only is not None:
            self.only.hold()

    def selection(self, type_: GraphQLObjectType) -> Selection | None:
        """The selection of objects of a type; `None` if that is not planned."""
        return self.only if type_ is self.type else None


class AbstractPlace(Place):
    """Where objects of an interface or a union stand: what is selected of a type is planned when the first of it comes."""

    __slots__ = ("_made", "_make")

    def __init__(self, type_: Any, make: Callable[[GraphQLObjectType], Selection | None]) -> None:
        self.type, self.only, self.pure = type_, None, False
        self.by_class = {}
        self._make = make
        self._made: dict[str, Selection | None] = {}

    def selection(self, type_: GraphQLObjectType) -> Selection | None:
        if type_.name not in self._made:
            self._made[type_.name] = made = self._make(type_)
            if made is not None and made.exact is not None:
                self.by_class[made.exact] = made
        return self._made[type_.name]


class Kinds:
    """The types that implement an interface, and how they are told of objects and of rows."""

    __slots__ = ("_type_of", "classes", "rows")

    def __init__(self, classes: dict[type, str], rows: tuple[type, ...], type_of: Callable[[Any], str]) -> None:
        self.classes = classes
        """The name of the type by the class of its objects."""
        self.rows, self._type_of = rows, type_of

    def name(self, value: Any) -> str:
        """The name of the type that an object, or a row, is of. Raises `Unusual` if only graphql-core can say."""
        name = self.classes.get(value.__class__)
        if name is not None:
            return name
        if value.__class__ in self.rows:
            return self._type_of(value)
        raise Unusual


class KindsPlace(Place):
    """Where objects of an interface stand whose rows tell their type: planned at once, with one selection for all types that the
    operation doesn't tell apart."""

    __slots__ = ("_named", "_rest", "kinds", "selections")

    def __init__(self, type_: Any, kinds: Kinds, named: dict[str, Selection], rest: Selection | None) -> None:
        self.type, self.kinds, self._named, self._rest = type_, kinds, named, rest
        self.selections = [*named.values(), *([rest] if rest is not None else [])]
        self.only = rest if not named else None
        self.by_class = {}
        for cls, name in kinds.classes.items():
            selection = named.get(name, rest)
            if selection is not None:
                self.by_class[cls] = selection
        self.pure = all(one.pure for one in self.selections)
        if not self.pure:
            self.hold()

    def hold(self) -> None:
        self.pure = False
        for one in self.selections:
            one.hold()

    @property
    def tells_apart(self) -> bool:
        """Whether the answer depends on the types."""
        return bool(self._named) or any(field.kind is Kind.TYPENAME for one in self.selections for field in one.fields)

    def choose(self, value: Any) -> Selection | None:
        """The selection of an object or a row; `None` if graphql-core has to say."""
        selection = self.by_class.get(value.__class__)
        if selection is None and value.__class__ in self.kinds.rows:
            return self._named.get(self.kinds.name(value), self._rest)
        return selection

    def complete(self, value: Any) -> dict[str, Any]:
        """The answer for an object or a row, where no resolver is called. Raises `Unusual`."""
        selection = self.choose(value)
        if selection is None:
            raise Unusual
        return selection.complete(value)


class Plan:
    """An operation with its `@skip` and `@include` decided, ready to run."""

    __slots__ = ("_fields", "roots", "source")

    def __init__(self, roots: list[Selection], source: str, fields: Callable[[], int]) -> None:
        self.roots = roots
        """A mutation has one for each of its fields, since they are carried out one after the other."""
        self.source, self._fields = source, fields

    @property
    def fields(self) -> int:
        """How many fields are planned, which is what a plan's size goes by."""
        return self._fields()


def is_occurrence(value: Any) -> bool:
    """Whether a value is an occurrence, and not an object of the application."""
    return value.__class__ is list and len(value) > SELECTION and value[SELECTION].__class__ is Selection


def nullable(type_: Any) -> Any:
    """The type without its non-null."""
    return type_.of_type if isinstance(type_, GraphQLNonNull) else type_
