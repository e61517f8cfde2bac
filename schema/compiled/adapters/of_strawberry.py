"""The adapter for schemas that were made with Strawberry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from graphql import GraphQLField, GraphQLScalarType, GraphQLSchema
from strawberry.execution import optimized_is_awaitable
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext, _OperationContextAwareGraphQLResolveInfo
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from schema.compiled.adapters.core import Adapter, BatchCall
from schema.compiled.adapters.inputs import Convert, Inputs
from schema.compiled.declare import BATCH, PROJECTION, Projection, Selected

_DEFINITION = "strawberry-definition"


class CompiledInfo(_OperationContextAwareGraphQLResolveInfo):
    """Strawberry's raw info, with room for what is selected, and whether the field is alone."""

    selected: Selected | None = None
    is_alone: bool = False
    arguments_below: Callable[[str], dict[str, Any] | None] | None = None


class PlainCall:
    """Calls the function behind a field that nothing wraps, without asking again what its parameters are."""

    __slots__ = ("_converter", "_field", "_function", "_info", "_parents", "_quickly", "_takes_self", "is_async")

    def __init__(self, field: StrawberryField, converter: Any, quickly: Convert | None) -> None:
        resolver = cast("Any", field.base_resolver)
        self._field, self._converter, self._function = field, converter, resolver.wrapped_func
        self._quickly, self.is_async = quickly, field.is_async
        self._takes_self = resolver.self_parameter is not None
        self._info = resolver.info_parameter.name if resolver.info_parameter else None
        named = (resolver.parent_parameter, resolver.root_parameter)
        self._parents = tuple(parameter.name for parameter in named if parameter)

    def convert(self, arguments: dict[str, Any], info: Any) -> dict[str, Any]:
        """The arguments as the function takes them."""
        wrapped = self._converter.config.info_class(_raw_info=info, _field=self._field)
        given = _converted(self._field, self._converter, self._quickly, arguments, wrapped)
        if self._info is not None:
            given[self._info] = wrapped
        return given

    def __call__(self, source: Any, _: Any, given: dict[str, Any]) -> Any:
        for name in self._parents:
            given = {**given, name: source}
        return self._function(source, **given) if self._takes_self else self._function(**given)


class StrawberryAdapter(Adapter):
    """Knows which of Strawberry's fields are plain attributes, and which classes stand behind its types."""

    executor_class = StrawberryGraphQLCoreExecutionContext
    is_awaitable = staticmethod(optimized_is_awaitable)

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema: Any = schema.extensions[_DEFINITION]
        self._converter = self._schema.schema_converter
        self._inputs = Inputs(self._converter)
        self._handles_exceptions = bool(getattr(self._converter, "_exception_handler_specs", ()))

    def attribute(self, definition: GraphQLField, name: str) -> str | Callable[[Any], Any] | None:
        field = _field_of(definition)
        if field is None:
            return super().attribute(definition, name)
        if not field.is_basic_field or self._handles_exceptions:
            return None
        read, attribute = field.default_resolver, field.python_name
        return attribute if read is getattr else lambda source: read(source, attribute)

    def is_event(self, definition: GraphQLField) -> bool:
        field = _field_of(definition)
        return field is not None and field.is_subscription

    def batch(self, definition: GraphQLField) -> BatchCall | None:
        field = _field_of(definition)
        if field is None:
            return super().batch(definition)
        batch = getattr(getattr(field.base_resolver, "wrapped_func", None), BATCH, None)
        if batch is None or not self._is_plain(field):
            return None

        quickly = self._inputs.of(field.arguments)

        def convert(arguments: dict[str, Any], info: Callable[[], Any]) -> dict[str, Any]:
            if not arguments:
                return {}
            if quickly is not None:
                return cast("dict[str, Any]", quickly(arguments))
            wrapped = self._converter.config.info_class(_raw_info=info(), _field=field)
            return _converted(field, self._converter, quickly, arguments, wrapped)

        return BatchCall(batch, convert)

    def call(self, definition: GraphQLField) -> Any:
        field = _field_of(definition)
        if field is None or field.base_resolver is None or not self._is_plain(field):
            return super().call(definition)
        return PlainCall(field, self._converter, self._inputs.of(field.arguments))

    def projection(self, type_: Any) -> Projection | None:
        return cast("Projection | None", getattr(_class_behind(type_), PROJECTION, None))

    def class_of(self, type_: Any) -> type | None:
        definition = type_.extensions.get(_DEFINITION)
        if definition is None or definition.is_type_of or definition.concrete_of or definition.is_graphql_generic:
            return None
        return _class_behind(type_)

    def scalar_class(self, scalar: GraphQLScalarType) -> type | None:
        definition = scalar.extensions.get(_DEFINITION)
        classes = [key for key, known in self._converter.scalar_registry.items() if known is definition]
        return classes[0] if len(classes) == 1 and isinstance(classes[0], type) else None

    def enum_class(self, enum: Any) -> type | None:
        return cast("type | None", getattr(enum, "wrapped_cls", None))

    def info(self, values: tuple[Any, ...], variables: Any, selected: Selected | None, *, is_alone: bool) -> Any:
        info = CompiledInfo._make((*values[:9], variables.coerced, *values[9:], None))
        info.selected, info.is_alone = selected, is_alone
        return info

    def _is_plain(self, field: StrawberryField) -> bool:
        """Whether nothing stands between graphql-core and the function."""
        standard = type(field).get_result is StrawberryField.get_result
        return standard and not field.extensions and not self._handles_exceptions


def _converted(
    field: StrawberryField, converter: Any, quickly: Convert | None, arguments: dict[str, Any], info: Any
) -> dict[str, Any]:
    if not arguments:
        return {}
    if quickly is not None:
        return cast("dict[str, Any]", quickly(arguments))
    return convert_arguments(arguments, field.arguments, converter.scalar_registry, converter.config, info=info)


def _field_of(definition: GraphQLField) -> StrawberryField | None:
    return definition.extensions.get(_DEFINITION)


def _class_behind(type_: Any) -> type | None:
    return getattr(type_.extensions.get(_DEFINITION), "origin", None)
