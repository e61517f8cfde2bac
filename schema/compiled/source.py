"""Writes the functions that complete objects, as source text, and compiles them: two for each selection at most.

`s3(o)` completes one object, `s3_all(items)` a list of them. Where a selection is not pure they take occurrences.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from graphql import GraphQLList, GraphQLNonNull, Undefined

from schema.compiled.declare import Projection, Ready
from schema.compiled.leaves import Leaves, Unusual, give_up
from schema.compiled.plan import OBJECT, SELECTION, Field, Kind, KindsPlace, Place, Selection, nullable

INDENT: Final = "    "


def generate(selections: list[Selection], leaves: Leaves) -> str:
    """Give each selection its functions; answers with the source that they were made from."""
    return _Writer(leaves).write(selections)


def strict(value: Any) -> None:
    """Give up if graphql-core would not take the value for an object of a type that anything may be of."""
    if value is None or value is Undefined or isinstance(value, Exception) or hasattr(value, "__await__"):
        raise Unusual


class _Writer:
    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._lines: list[str] = []
        self._env: dict[str, Any] = {"give_up": give_up, "strict": strict}
        self._known: dict[tuple[str, int], str] = {}
        self._one: set[str] = set()
        self._all: set[str] = set()

    def write(self, selections: list[Selection]) -> str:
        self._one.update(one.name for one in selections[:1])
        for selection in selections:  # those above come first, and say what they need of those below
            if selection.is_root or selection.name in self._one:
                self._function(selection)
            if selection.name in self._all:
                self._function_of_lists(selection)
        functions = list(self._functions())
        for function in functions:  # each by itself: no other thread runs while Python compiles
            exec(compile(function, "<compiled operation>", "exec"), self._env)  # noqa: S102 - made of the schema's and our own names
        for selection in selections:
            selection.complete = self._env.get(selection.name, give_up)
            selection.complete_all = self._env.get(f"{selection.name}_all", give_up)
        return "\n".join(functions)

    def _functions(self) -> Iterator[str]:
        """The lines of each function that was written."""
        begins = [number for number, line in enumerate(self._lines) if not line.startswith(INDENT)]
        for begin, end in pairwise([*begins, len(self._lines)]):
            yield "\n".join(self._lines[begin:end])

    def _constant(self, value: Any, prefix: str) -> str:
        """The name of a value in the functions' globals."""
        key = (prefix, id(value))
        name = self._known.get(key)
        if name is None:
            self._known[key] = name = f"{prefix}{len(self._env)}"
            self._env[name] = value
        return name

    # One object, and lists of them

    def _function(self, selection: Selection) -> None:
        held = "o" if selection.pure else "at"
        self._add(f"def {selection.name}({held}):")
        self._body(selection, INDENT, "return {}")

    def _function_of_lists(self, selection: Selection) -> None:
        held = "o" if selection.pure else "at"
        self._add(f"def {selection.name}_all(items):", f"{INDENT}found = []", f"{INDENT}for {held} in items:")
        self._body(selection, INDENT * 2, "found.append({})", "continue")
        self._add(f"{INDENT}return found")

    def _body(self, selection: Selection, indent: str, deliver: str, *after: str) -> None:
        if selection.foreign:
            self._add(f"{indent}give_up()")
            return
        if not selection.pure:
            self._add(f"{indent}o = at[{OBJECT}]")
        if selection.projection is not None:
            is_row = " or ".join(f"o.__class__ is {self._constant(one, 'r')}" for one in selection.projection.rows)
            self._add(f"{indent}if {is_row}:")
            self._object(selection, indent + INDENT, deliver, selection.projection)
            self._add(*(f"{indent}{INDENT}{line}" for line in after))
        if selection.pure:
            self._add(*(indent + line for line in self._checked(selection)))
        self._object(selection, indent, deliver, None)

    def _checked(self, selection: Selection) -> Iterator[str]:
        """Statements that give up what graphql-core might not take for an object of the type."""
        if selection.is_root:
            return  # anything may be the root
        if selection.kinds is not None:
            yield f"if o.__class__ not in {self._constant(selection.kinds.classes, 't')}: give_up()"
        elif selection.exact is None:
            yield "give_up()" if selection.has_type_check else "strict(o)"
        else:
            otherwise = "give_up()" if selection.has_type_check else "strict(o)"
            yield f"if o.__class__ is not {self._constant(selection.exact, 't')}: {otherwise}"

    def _object(self, selection: Selection, indent: str, deliver: str, projection: Projection | None) -> None:
        items = []
        for index, field in enumerate(selection.fields):
            if field.kind is Kind.TYPENAME:
                items.append(f"{field.key!r}: {self._type_name(selection)}")
                continue
            variable = f"f{index}"
            items.append(f"{field.key!r}: {variable}")
            self._add(*(indent + line for line in self._field(field, variable, projection)))
        self._add(indent + deliver.format("{" + ", ".join(items) + "}"))

    def _type_name(self, selection: Selection) -> str:
        if selection.kinds is None:
            return repr(selection.type.name)
        return f"{self._constant(selection.kinds.name, 'k')}(o)"

    # One field

    def _field(self, field: Field, variable: str, projection: Projection | None) -> Iterator[str]:
        expression = projection.fields.get(field.name) if projection is not None else None
        if field.shape_slot or field.slot:
            yield f"{variable} = at[{field.shape_slot or field.slot}]"
        elif expression is not None and projection is not None:
            text = expression.expression if isinstance(expression, Ready) else expression
            yield f"{variable} = {self._row_expression(text, projection)}"
            if isinstance(expression, Ready):
                if isinstance(field.type, GraphQLNonNull):
                    yield f"if {variable} is None: give_up()"
                return
        elif field.kind is Kind.EVENT:
            yield f"{variable} = o"
        elif field.attribute is not None:
            yield f"{variable} = o.{field.attribute}"
        else:
            yield f"{variable} = {self._constant(field.read, 'g')}(o)"
        yield from self._value(field.type, field.place, variable, 0)

    def _row_expression(self, text: str, projection: Projection) -> str:
        """The expression of a projection, with its names as the functions' globals know them."""
        tree = ast.parse(text, mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                if node.id == "row":
                    node.id = "o"
                elif node.id in projection.names:
                    node.id = self._constant(projection.names[node.id], "n")
        return f"({ast.unparse(tree)})"

    def _value(self, type_: Any, place: Place | None, variable: str, depth: int) -> Iterator[str]:
        """Statements that replace the value in a variable by the completed one."""
        is_nullable = not isinstance(type_, GraphQLNonNull)
        type_ = nullable(type_)
        if isinstance(type_, GraphQLList):
            lines: Iterable[str] = self._list(type_.of_type, place, variable, depth)
        elif place is None:
            yield from self._leaves.lines(type_, variable, is_nullable=is_nullable, constant=self._constant)
            return
        else:
            lines = [self._one_object(place, variable)]
        if is_nullable:
            yield f"if {variable} is not None:"
            yield from (INDENT + line for line in lines)
        else:
            yield from lines

    def _one_object(self, place: Place, variable: str) -> str:
        if place.only is not None:
            self._one.add(place.only.name)
            return f"{variable} = {place.only.name}({variable})"
        if isinstance(place, KindsPlace):
            self._one.update(one.name for one in place.selections)
            if place.pure:
                return f"{variable} = {self._constant(place.complete, 'd')}({variable})"
        return f"{variable} = {variable}[{SELECTION}].complete({variable})"

    def _list(self, item_type: Any, place: Place | None, variable: str, depth: int) -> Iterator[str]:
        yield f"if {variable}.__class__ is not list and {variable}.__class__ is not tuple: give_up()"
        if (
            place is not None
            and place.only is not None
            and isinstance(item_type, GraphQLNonNull)
            and not isinstance(item_type.of_type, GraphQLList)
        ):
            self._all.add(place.only.name)
            yield f"{variable} = {place.only.name}_all({variable})"
            return
        item, items = f"{variable}_{depth}", f"{variable}_{depth}s"
        yield f"{items} = []"
        yield f"for {item} in {variable}:"
        yield from (INDENT + line for line in self._value(item_type, place, item, depth + 1))
        yield f"{INDENT}{items}.append({item})"
        yield f"{variable} = {items}"

    def _add(self, *lines: str) -> None:
        self._lines.extend(lines)
