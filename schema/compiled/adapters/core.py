"""The adapter for schemas that were made with graphql-core alone, and what any adapter has to say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from graphql import Executor, GraphQLField, GraphQLResolveInfo, GraphQLScalarType
from graphql.execution.executor import default_field_resolver
from graphql.pyutils import is_awaitable

from schema.compiled.declare import BATCH, PROJECTION, Batch, Projection, Selected


class CompiledInfo(GraphQLResolveInfo[Any]):
    """graphql-core's info, with room for what is selected, and whether the field is alone."""

    selected: Selected | None = None
    is_alone: bool = False
    arguments_below: Callable[[str], dict[str, Any] | None] | None = None


class DirectCall:
    """Calls a resolver as graphql-core does."""

    __slots__ = ("_resolve", "is_async")

    def __init__(self, resolve: Callable[..., Any]) -> None:
        self._resolve, self.is_async = resolve, False
        """Whether also arguments that it can't convert are an error that has to be awaited."""

    def convert(self, arguments: dict[str, Any], _: Any) -> dict[str, Any]:
        """The arguments as the resolver takes them, converted once for all parents."""
        return arguments

    def __call__(self, source: Any, info: Any, arguments: dict[str, Any]) -> Any:
        return self._resolve(source, info, **arguments)


class BatchCall:
    """A batch, and what converts its arguments as `DirectCall.convert` does, with what makes the info, should it be needed."""

    __slots__ = ("alone", "beside", "convert", "load", "selects")

    def __init__(self, batch: Batch, convert: Callable[[dict[str, Any], Callable[[], Any]], dict[str, Any]]) -> None:
        self.load, self.convert = batch.load, convert
        self.selects, self.beside, self.alone = batch.selects, batch.beside, batch.alone


class Adapter:
    """What the compiler asks of a schema. This one answers for graphql-core itself."""

    executor_class: type[Executor[Any]] = Executor

    is_awaitable: Callable[[Any], bool] = staticmethod(is_awaitable)

    def attribute(self, definition: GraphQLField, name: str) -> str | Callable[[Any], Any] | None:
        """For a field that is read from its object: the attribute, or a function that reads it; else `None`."""
        if definition.resolve is not None or definition.args:
            return None

        def read(source: Any) -> Any:
            value = source.get(name) if isinstance(source, Mapping) else getattr(source, name, None)
            if callable(value):
                raise TypeError("a method in place of a value")
            return value

        return read

    def is_event(self, definition: GraphQLField) -> bool:
        """Whether the field of a subscription is the event itself."""
        return False

    def batch(self, definition: GraphQLField) -> BatchCall | None:
        """The batch of a field that has one."""
        batch = definition.extensions.get(BATCH)
        return BatchCall(batch, _as_they_are) if batch is not None else None

    def call(self, definition: GraphQLField) -> DirectCall:
        """What calls the resolver of a field."""
        return DirectCall(definition.resolve or default_field_resolver)

    def projection(self, type_: Any) -> Projection | None:
        """What reads rows in place of the objects of a type."""
        return cast("Projection | None", type_.extensions.get(PROJECTION))

    def class_of(self, type_: Any) -> type | None:
        """The class whose direct instances are certainly objects of the type, wherever they stand."""
        return None

    def scalar_class(self, scalar: GraphQLScalarType) -> type | None:
        """The class of the values that a scalar of the application writes, if there is one."""
        return None

    def enum_class(self, enum: Any) -> type | None:
        """The Python enum behind an enum type."""
        return None

    def info(self, values: tuple[Any, ...], variables: Any, selected: Selected | None, *, is_alone: bool) -> Any:
        """The info of a call: `values` from `field_name` to `operation`, then variables, then `context` and the rest."""
        before, after = values[:9], values[9:]
        info = CompiledInfo._make((*before, variables, *after))
        info.selected, info.is_alone = selected, is_alone
        return info


def _as_they_are(arguments: dict[str, Any], _: Any) -> dict[str, Any]:
    return arguments
