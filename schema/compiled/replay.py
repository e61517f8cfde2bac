"""graphql-core's own executor over values that were recorded, for runs that generated code cannot complete.

It calls no resolver that was called already: a field of an occurrence is answered with what was recorded there. Whatever
has not been recorded, because only graphql-core knows how to go on, it executes as ever. So the errors, their order, their
places and the nulls are graphql-core's.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from graphql import Executor

from schema.compiled.adapters.core import Adapter
from schema.compiled.plan import OBJECT, SELECTION, Field, Kind, Selection, is_occurrence
from schema.compiled.readers import ReadyValue, readers_of
from schema.compiled.runs import UNREAD, Run


class Recorded:
    """In the place of graphql-core's middleware: hands out what was recorded instead of calling resolvers."""

    def __init__(self, run: Run, adapter: Adapter) -> None:
        self._run, self._adapter = run, adapter

    def get_field_resolver(self, resolve: Callable[..., Any]) -> Callable[..., Any]:
        """What graphql-core calls in place of a field's resolver."""

        def recorded(source: Any, info: Any, **arguments: Any) -> Any:
            if is_occurrence(source):
                field = source[SELECTION].by_key[info.path.key]
                if (slot := field.shape_slot or field.slot) and source[slot] is not UNREAD:
                    return self._value(source, field)
                source = source[OBJECT]
            projection = self._adapter.projection(info.parent_type)
            if projection is not None and source.__class__ in projection.rows and info.field_name in projection.fields:
                return readers_of(projection)[info.field_name](source)
            return resolve(source, info, **arguments)

        return recorded

    def _value(self, source: Any, field: Field) -> Any:
        value = source[field.shape_slot or field.slot]
        late = self._run.late
        if field.kind in (Kind.CALL, Kind.BATCH) and (field in late or (field, id(source)) in late):
            return _Later(value)
        return value


class _Replay(Executor[Any]):
    """What graphql-core has to be told of occurrences, rows and values that are ready."""

    adapter: Adapter

    def complete_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        if result.__class__ is ReadyValue:
            return result.value
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    def complete_abstract_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        type_ = self._told(return_type, result)
        if type_ is not None:
            return self.complete_object_value(type_, field_details_list, info, path, result, position_context)
        return super().complete_abstract_value(return_type, field_details_list, info, path, result, position_context)

    def _told(self, return_type: Any, result: Any) -> Any:
        """The type of an object of an interface or a union, if it was told or a row tells it."""
        if is_occurrence(result):
            selection = result[SELECTION]
            return selection.type if selection.kinds is None else self._named(selection.kinds.name(result[OBJECT]))
        projection = self.adapter.projection(return_type)
        if projection is not None and projection.type_of is not None and result.__class__ in projection.rows:
            return self._named(projection.type_of(result))
        return None

    def _named(self, name: str) -> Any:
        return self.schema.get_type(name)

    def complete_object_value(
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        projection = self.adapter.projection(return_type)
        if is_occurrence(result) or (projection is not None and result.__class__ in projection.rows):
            return self.collect_and_execute_subfields(return_type, field_details_list, path, result, position_context)
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)


_classes: dict[type, type[_Replay]] = {}


def executor_class(base: type[Executor[Any]]) -> type[_Replay]:
    """graphql-core's executor, or a library's of its own, that knows occurrences."""
    if base not in _classes:
        _classes[base] = type("Replay", (_Replay, base), {})
    return _classes[base]


async def complete(executor: _Replay, selection: Selection, source: Any) -> dict[str, Any]:
    """What graphql-core answers for a root selection. Raises `GraphQLError` where a null reaches the root."""
    groups = {field.key: field.details for field in selection.fields}
    completed: Any = executor.execute_fields(selection.type, source, None, groups, None)
    found: dict[str, Any] = await completed if executor.is_awaitable(completed) else completed
    return found


class _Later:
    """Awaits a value that is there already; unlike a coroutine it may be given up."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, None, Any]:
        if isinstance(self._value, Exception):
            raise self._value
        yield from ()
        return self._value
