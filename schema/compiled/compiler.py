"""Compiles operations that are used again, and runs them; until then, and where it can't be done, graphql-core does."""

from __future__ import annotations

import math
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, Final, TypeAlias

from graphql import (
    DocumentNode,
    ExecutionResult,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from schema.compiled import replay
from schema.compiled.adapters.core import Adapter
from schema.compiled.coercion import Coercers, Variables
from schema.compiled.earned import Earned, NotEarned
from schema.compiled.leaves import Leaves
from schema.compiled.plan import Plan, Selection
from schema.compiled.planning import NotAtOnce, NotCompiled, Planner, check
from schema.compiled.runs import Run

FIELDS_MAX: Final = 2_000
"""Fields of a plan, those below each type of an interface or union counted apart."""

VARIANTS_MAX: Final = 8
"""Plans of one operation: there is one for each combination of its `@skip` and `@include` that is asked for."""

FIELDS_KEPT_MAX: Final = 20_000
"""Fields of all plans that are kept; the plan that was not used for longest goes first."""

PLANS_KEPT_MAX: Final = 1_000
"""Plans that are kept, however small they are."""

OBJECTS_AT_ONCE: Final = 1_000
"""Objects of an answer that are completed at once: in a few milliseconds."""

CHARACTERS_AT_ONCE: Final = 2_000
FIELDS_AT_ONCE: Final = 60
"""A longer document, or a plan of more fields, is compiled elsewhere: this much takes about 5 ms. Few characters can select
many fields, by fragments that are used again, and by types that each have all fields of their interface."""

Elsewhere: TypeAlias = Callable[[Callable[[], Any], Any], Awaitable[Any]]
"""Does the work of the first argument, for the context of the second, and answers what comes of it."""

CHARACTERS_PER_USE: Final = 1_000
"""A document of so many characters has to be used once more before it is compiled, one of twice as many twice more."""

CHARACTERS_A_FIELD: Final = 10
FIELDS_A_USE: Final = 5
"""What is compiled was earned before: reading so many characters took about as long as compiling a field, and executing the
least operation as long as so many; see `Operation.earn`."""


@dataclass(slots=True)
class Counts:
    """What became of executions."""

    compiled: int = 0
    """Completed by generated code."""
    replayed: int = 0
    """Completed by graphql-core over recorded values, since there was an error or something that only it can do."""
    uncompiled: int = 0
    """Left to graphql-core because the operation was not compiled yet."""
    fallbacks: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Left to graphql-core because the operation can't be compiled, by why. Threads count here: see `escrow.meters`."""


class Compiler:
    """Compiles the operations of one schema."""

    def __init__(
        self,
        schema: GraphQLSchema,
        adapter: Adapter | None = None,
        *,
        uses_before: int = 1,
        fields_max: int = FIELDS_MAX,
        variants_max: int = VARIANTS_MAX,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`uses_before`: how often graphql-core runs an operation before it is worth compiling. `elsewhere`: does work that
        waits for nothing where it holds nobody up, such as in a thread; answers of more than `OBJECTS_AT_ONCE` objects are
        completed there, and documents of more than `CHARACTERS_AT_ONCE` compiled.
        """
        self.elsewhere = elsewhere
        self.schema, self.adapter = schema, adapter or Adapter()
        self.uses_before, self.fields_max, self.variants_max = uses_before, fields_max, variants_max
        self.leaves, self.coercers = Leaves(self.adapter), Coercers(schema)
        self.counts = Counts()
        self._kept: OrderedDict[Plan, weakref.ref[Operation]] = OrderedDict()
        self._gone: list[Plan] = []
        """Plans whose operations are no more, which may be found out at any moment, by any thread that looks for garbage."""

    def operation(self, document: DocumentNode, node: OperationDefinitionNode) -> Operation:
        """An operation of a validated document, to be kept beside it and run any number of times."""
        return Operation(self, document, node)

    @property
    def fields_kept(self) -> int:
        """How many fields the plans have that are kept."""
        self._let_go()
        return sum(plan.fields for plan in self._kept)

    def keep(self, plan: Plan, operation: Operation) -> None:
        """Count a new plan among those that are kept, and let go of others if they are too many together."""
        self._kept[plan] = weakref.ref(operation, lambda _: self._gone.append(plan))
        while len(self._kept) > PLANS_KEPT_MAX or (len(self._kept) > 1 and self.fields_kept > FIELDS_KEPT_MAX):
            oldest, owner = self._kept.popitem(last=False)
            if (owning := owner()) is not None:
                owning.forget(oldest)

    def used(self, plan: Plan) -> None:
        """A plan is used: it is the last to go."""
        if plan in self._kept:
            self._kept.move_to_end(plan)
        if self._gone:
            self._let_go()

    def _let_go(self) -> None:
        while self._gone:
            self._kept.pop(self._gone.pop(), None)


class Operation:
    """One operation, and its plans."""

    def __init__(self, compiler: Compiler, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self._compiler, self._document, self._node = compiler, document, node
        text = node.loc.source.body if node.loc is not None else ""
        self._uses_left = compiler.uses_before and compiler.uses_before + len(text) // CHARACTERS_PER_USE
        self._is_long = len(text) > CHARACTERS_AT_ONCE
        self._earned = Earned(
            len(text) / CHARACTERS_A_FIELD if compiler.uses_before else math.inf,
            compiler.fields_max if compiler.uses_before else math.inf,
        )
        self._conditions: tuple[str, ...] = ()
        self._refusal: str | None = None
        self._variables: Variables | None = None
        self._fragments: dict[str, FragmentDefinitionNode] = {}
        self._plans: dict[tuple[Any, ...], Plan | str] = {}
        """By the values of the conditions; why there is none, where it can't be made."""
        self._making: set[tuple[Any, ...]] = set()
        """The plans that are being made elsewhere just now."""

    async def run(self, root: Any, context: Any, variables: Mapping[str, Any]) -> ExecutionResult:
        """What graphql-core's `execute` answers."""
        counts = self._compiler.counts
        self.earn(FIELDS_A_USE)
        if self._uses_left:
            self._uses_left -= 1
            counts.uncompiled += 1
            return await self._execute(root, context, variables)
        if self._variables is None:
            self._prepare()
        if self._refusal is None and self._variables is not None:
            values = self._variables.values(variables)
            if isinstance(values, list):
                return ExecutionResult(None, values)
            key = tuple([values.coerced.get(name) for name in self._conditions])
            plan = self._plans.get(key)
            if plan is None:
                plan = await self._plan(key, context)
            if isinstance(plan, Plan):
                self._compiler.used(plan)
                return await _Execution(self, plan, root, context, variables, values).run()
            if plan is None:
                counts.uncompiled += 1
            else:
                counts.fallbacks[plan] += 1
        else:
            counts.fallbacks[self._refusal or ""] += 1
        return await self._execute(root, context, variables)

    def earn(self, fields: float) -> None:
        """Say of a use that it is worth as much as compiling so many fields, beyond what any use is."""
        self._earned.earn(fields)

    def compile_at_once(self) -> None:
        """Don't wait for another use: an operation that does much is worth it the first time."""
        self._uses_left = 0

    @property
    def falls_back(self) -> bool:
        """Whether graphql-core is known to run it, with some values of its variables at least."""
        if self._variables is None:
            self._prepare()
        is_full = len(self._plans) >= self._compiler.variants_max
        return self._refusal is not None or is_full or len(self.plans) < len(self._plans)

    @property
    def plans(self) -> list[Plan]:
        """The plans that were made."""
        return [one for one in self._plans.values() if isinstance(one, Plan)]

    def forget(self, plan: Plan) -> None:
        """Let go of a plan; it is made again if it is used again."""
        self._plans = {key: one for key, one in self._plans.items() if one is not plan}

    def _prepare(self) -> None:
        self._variables = Variables(self._node, self._compiler.coercers)
        definitions = self._document.definitions
        self._fragments = {one.name.value: one for one in definitions if isinstance(one, FragmentDefinitionNode)}
        try:
            self._conditions = check(self._node, self._fragments)
        except NotCompiled as refusal:
            self._refusal = str(refusal)

    async def _plan(self, key: tuple[Any, ...], context: Any) -> Plan | str | None:
        """A new plan for these values of the conditions, or why there is none; `None` if there is none yet."""
        if key in self._making:
            return None
        if len(self._plans) >= self._compiler.variants_max:
            return "too many variants"
        self._making.add(key)
        try:
            plan = await self._made(dict(zip(self._conditions, key, strict=True)), context)
        finally:
            self._making.discard(key)
        if plan is not None:
            self._plans[key] = plan
        return plan

    async def _made(self, conditions: dict[str, Any], context: Any) -> Plan | str | None:
        variables = VariableValues({}, conditions)  # a plan keeps nothing else of what somebody asked
        try:
            plan = await self._planned(variables, context)
        except NotEarned:
            return None
        except NotCompiled as refusal:
            return str(refusal)
        except GraphQLError:
            return "a condition without a value"
        self._compiler.keep(plan, self)
        return plan

    async def _planned(self, variables: VariableValues, context: Any) -> Plan:
        elsewhere = self._compiler.elsewhere
        if elsewhere is None:
            return self._planner(variables).plan()
        if not self._is_long:
            try:
                return self._planner(variables).plan(at_once=FIELDS_AT_ONCE)
            except NotAtOnce:
                self._is_long = True
        planned: Plan = await elsewhere(lambda: self._planner(variables).plan(), context)
        return planned

    def _planner(self, variables: VariableValues) -> Planner:
        compiler = self._compiler
        return Planner(
            compiler.schema,
            compiler.adapter,
            self._node,
            {name: FragmentDetails(one) for name, one in self._fragments.items()},
            variables,
            compiler.leaves,
            compiler.fields_max,
            self._earned,
        )

    async def _execute(self, root: Any, context: Any, variables: Mapping[str, Any]) -> ExecutionResult:
        """Leave it to graphql-core."""
        adapter = self._compiler.adapter
        result: Any = execute(
            self._compiler.schema,
            self._document,
            root_value=root,
            context_value=context,
            variable_values=dict(variables),
            operation_name=self._node.name.value if self._node.name else None,
            executor_class=adapter.executor_class,
            is_awaitable=adapter.is_awaitable,  # type: ignore[arg-type] # a predicate without a type guard
        )
        found: ExecutionResult = await result if isawaitable(result) else result
        return found

    def replay(self, run: Run, raw: Mapping[str, Any]) -> Any:
        """graphql-core's executor over what a run has recorded."""
        compiler = self._compiler
        executor: Any = replay.executor_class(compiler.adapter.executor_class).build(
            compiler.schema,
            self._document,
            run.root,
            run.context,
            dict(raw),
            self._node.name.value if self._node.name else None,
            is_awaitable=compiler.adapter.is_awaitable,  # type: ignore[arg-type] # as above
        )
        executor.adapter = compiler.adapter
        executor.middleware_manager = replay.Recorded(run, compiler.adapter)
        return executor

    def start(self, root: Any, context: Any, values: VariableValues) -> Run:
        """A run with nothing recorded yet."""
        document = (self._compiler.schema, self._fragments, self._node)
        return Run(self._compiler.adapter, document, root, context, values)

    @property
    def counts(self) -> Counts:
        return self._compiler.counts

    @property
    def elsewhere(self) -> Elsewhere | None:
        return self._compiler.elsewhere


class _Execution:
    """One execution of a plan: root by root, and graphql-core's executor if it is needed."""

    __slots__ = ("_executor", "_operation", "_plan", "_raw", "_run")

    def __init__(
        self, operation: Operation, plan: Plan, root: Any, context: Any, raw: Mapping[str, Any], values: VariableValues
    ) -> None:
        self._operation, self._plan, self._raw = operation, plan, raw
        self._run = operation.start(root, context, values)
        self._executor: Any = None

    async def run(self) -> ExecutionResult:
        roots, counts = self._plan.roots, self._operation.counts
        data: dict[str, Any] | None = None
        try:
            if len(roots) == 1:
                data = await self._complete(roots[0])
            else:
                data = {}
                for one in roots:
                    data.update(await self._complete(one))
        except GraphQLError as error:
            data = None
            self._replay().collected_errors.add(error, None)
        if self._executor is None:
            counts.compiled += 1
            return ExecutionResult(data, None)
        counts.replayed += 1
        return ExecutionResult(data, self._executor.collected_errors.errors or None)

    async def _complete(self, root: Selection) -> dict[str, Any]:
        run = self._run
        source = run.root
        if not root.pure:
            source = root.occurrence(run.root, None)
            await run.resolve(source)
        if not run.odd:
            elsewhere = self._operation.elsewhere
            try:
                if elsewhere is not None and run.recorded > OBJECTS_AT_ONCE:
                    found: dict[str, Any] = await elsewhere(lambda: root.complete(source), run.context)
                    return found
                return root.complete(source)
            except Exception:  # noqa: BLE001, S110 - whatever it is, graphql-core says it right
                pass
        run.odd = False
        return await replay.complete(self._replay(), root, source)

    def _replay(self) -> Any:
        if self._executor is None:
            self._executor = self._operation.replay(self._run, self._raw)
        return self._executor
