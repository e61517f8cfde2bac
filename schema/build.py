"""Builds the schema, once, and prints it; `schema/schema.graphql` is the printed snapshot that a test compares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

import strawberry
from graphql import GraphQLEnumType, GraphQLInterfaceType, GraphQLSchema
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type

from escrow.access import Scope
from escrow.aside import aside
from escrow.settings import Compilation
from schema.compiled.adapters.of_strawberry import StrawberryAdapter
from schema.compiled.compiler import Compiler, Elsewhere
from schema.engine.context import Context
from schema.engine.execution import Runner
from schema.engine.idempotent_directive import idempotent
from schema.mutations import every
from schema.nodes import NODE_TYPES
from schema.queries import Query
from schema.scalars import SCALARS
from schema.subscriptions import Subscription

SNAPSHOT: Final = Path(__file__).parent / "schema.graphql"

_MUTATIONS_ARE: Final = (
    "What can be asked to be done. What is refused is told in `userErrors`, and nothing of it was done."
)


class _Schema(strawberry.Schema):
    """Strawberry's schema, without the extension that would wrap every field because a directive is declared."""

    def get_extensions(self, sync: bool = False) -> list[SchemaExtension]:
        return []


def _say_once(graphql: GraphQLSchema) -> None:
    """Leave out of each type of event what `Event` says of its fields: 90 times that would be half of the schema."""
    said = cast("GraphQLInterfaceType", graphql.type_map["Event"])
    for kind in graphql.get_possible_types(said):
        for name in said.fields:
            kind.fields[name].description = None
            for argument in kind.fields[name].args.values():
                argument.description = None


def _take_both_spellings(graphql: GraphQLSchema) -> None:
    """Let variables spell scopes as tokens and the command line do."""
    kind = cast("GraphQLEnumType", graphql.type_map["Scope"])
    coerce, names = kind.coerce_input_value, {scope.value: scope.name for scope in Scope}

    def either(value: Any, hide_suggestions: bool = False) -> Any:
        return coerce(names.get(value, value) if isinstance(value, str) else value, hide_suggestions)

    kind.coerce_input_value = either  # type: ignore[assignment, method-assign] # graphql-core asks the object


@cache
def schema(*, sandbox: bool = True) -> strawberry.Schema:
    """The schema as Strawberry has it; made at the first call. Where money is real there is no test clock in it."""
    made = _Schema(
        query=Query,
        mutation=create_type("Mutation", every.FIELDS if sandbox else every.OF_REAL_MONEY, description=_MUTATIONS_ARE),
        subscription=Subscription,
        types=NODE_TYPES,
        directives=[idempotent],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    graphql = made._schema  # noqa: SLF001 - as below
    _say_once(graphql)
    _take_both_spellings(graphql)
    return made


def executable(*, sandbox: bool = True) -> GraphQLSchema:
    """The same as graphql-core has it, to be run."""
    return schema(sandbox=sandbox)._schema  # noqa: SLF001 - Strawberry has no public name for it


def runner(compilation: Compilation = Compilation.ON, *, sandbox: bool = True, only_registered: bool = False) -> Runner:
    """What runs operations against the schema, with document caches of its own."""

    def in_annex() -> Runner:
        there = compiler(compilation, sandbox=sandbox, elsewhere=None)  # nobody else is held up there
        return Runner(executable(sandbox=sandbox), there, only_registered=only_registered)

    compiling = compiler(compilation, sandbox=sandbox)
    return Runner(executable(sandbox=sandbox), compiling, only_registered=only_registered, in_annex=in_annex)


def _elsewhere(work: Callable[[], Any], context: Context) -> Awaitable[Any]:
    return aside(work, owner=context.owner)


def compiler(
    compilation: Compilation, *, sandbox: bool = True, elsewhere: Elsewhere | None = _elsewhere
) -> Compiler | None:
    """What compiles the operations of the schema; `None` if graphql-core is to execute them."""
    if compilation is Compilation.OFF:
        return None
    graphql = executable(sandbox=sandbox)
    before = 0 if compilation is Compilation.EAGER else 1
    return Compiler(graphql, StrawberryAdapter(graphql), uses_before=before, elsewhere=elsewhere)


def sdl(*, sandbox: bool = True) -> str:
    """The schema in GraphQL's own language, ending with a newline."""
    return schema(sandbox=sandbox).as_str().rstrip() + "\n"
