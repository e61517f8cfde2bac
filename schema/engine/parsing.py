"""Reads documents: from a text, or the identifier of a registered one, to what is parsed, valid and remembered.

What nobody has sent before is paid for before it is read, and what is long is read beside the event loop.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    VariableNode,
    Visitor,
    parse,
    validate,
    visit,
)

from escrow import documents as registered
from escrow import meters
from escrow.aside import aside
from schema.compiled.compiler import Operation as CompiledOperation
from schema.engine import costs
from schema.engine.budget import Budget
from schema.engine.context import Context
from schema.engine.limits import Meter, TooComplex
from schema.engine.storable import unstorable_literals

KEPT_MAX: Final = 256
"""Documents that are kept parsed and validated; the least recently used goes first."""

KEPT_CHARACTERS_MAX: Final = 500_000
"""Characters of all of them: a token is several objects, and whoever looks for garbage looks at each."""

VALIDATION_ERRORS_MAX: Final = 10

READ_HERE_CHARACTERS: Final = 200
"""Longer ones are read beside the loop: repeated fields are compared in pairs, which takes up to 50 ms for 2,000 characters."""

READ_AT_ONCE_CHARACTERS: Final = 2_000
"""Of longer ones everything else, too, is found out beside the loop."""

REGISTERED_SECONDS: Final = 60.0
"""How long it is believed which text an identifier stands for, or that it stands for none."""


@dataclass(frozen=True, slots=True)
class Most:
    """How long a document may be; `why` says what would make it longer."""

    characters: int
    tokens: int
    why: str = ""

    def check(self, text: str) -> None:
        """Raise `TooComplex` for one of more characters."""
        if len(text) > self.characters:
            raise TooComplex(f"The query has {len(text)} characters; at most {self.characters} are allowed{self.why}.")


WITH_A_KEY: Final = Most(100_000, 3_000)
WITHOUT_A_KEY: Final = Most(16_000, 1_000, " without a key")
"""Enough for the introspection of every tool; whoever has no key can ask for little else."""


@dataclass(slots=True)
class Document:
    """A text that was parsed and validated; `errors` if it is not valid."""

    node: DocumentNode | None
    errors: list[GraphQLError]
    prepared: dict[str | None, Prepared] = field(default_factory=dict)
    """Its operations by the name that they were asked for with."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation of a valid document, with all that depends neither on who asks nor on the variables."""

    document: DocumentNode
    node: OperationDefinitionNode
    meter: Meter
    compiled: CompiledOperation | None
    is_long: bool
    """Whether what has to be found out about it is found out beside the event loop."""
    is_about_the_schema: bool
    only_lists: bool
    """Whether a standby of the database may answer it."""

    @property
    def name(self) -> str | None:
        return self.node.name.value if self.node.name else None

    def declared(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the variables that the operation declares; others mean nothing."""
        names = {one.variable.name.value for one in self.node.variable_definitions or ()}
        return {name: value for name, value in variables.items() if name in names}

    @property
    def begins_at(self) -> frozenset[str]:
        """The variables that only say where a subscription begins: `after` of its field, and nothing else."""
        used: Counter[str] = Counter()

        class Count(Visitor):
            def enter_variable(self, node: VariableNode, *_: object) -> None:
                used[node.name.value] += 1

        visit(self.document, Count())
        fields = [one for one in self.node.selection_set.selections if isinstance(one, FieldNode)]
        return frozenset(
            given.value.name.value
            for one in fields
            for given in one.arguments or ()
            if given.name.value == "after"
            and isinstance(given.value, VariableNode)
            and used[given.value.name.value] == 2
        )


class NotRegistered(Exception):
    """No document is registered under this identifier, or only registered ones are answered."""


class Documents:
    """The documents of one schema that were seen lately; with `only_registered`, others are refused."""

    def __init__(self, schema: GraphQLSchema, *, only_registered: bool = False) -> None:
        self._schema = schema
        self._only_registered = only_registered
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0
        self._texts: OrderedDict[str, tuple[float, str | None]] = OrderedDict()

    async def find(self, text: str | None, identifier: str | None, context: Context) -> Document:
        """The document of a text, or of the identifier of a registered one.

        Raises `NotRegistered`, `TooComplex` for a text that is too long, and `OverBudget` before an unknown one is read.
        """
        if text is None or self._only_registered:
            text = await self._registered(text, identifier, context.budget)
        known = self._remembered(text)
        if known is not None:
            return known
        meters.CACHES.add("documents", "miss")
        return await self._new(text, context)

    async def check(self, text: str | None, identifier: str | None) -> None:
        """Raise `NotRegistered` if it is answered no more, for what goes on for long: a document may be taken back."""
        if text is None or self._only_registered:
            await self._registered(text, identifier)

    def known(self, text: str | None) -> Document | None:
        """The document of a text that is remembered and may be answered as it is; `None` if it has to be looked for."""
        return self._remembered(text) if text is not None and not self._only_registered else None

    def _remembered(self, text: str) -> Document | None:
        known = self._kept.get(text)
        if known is not None:
            self._kept.move_to_end(text)
            meters.CACHES.add("documents", "hit")
        return known

    async def _registered(self, text: str | None, identifier: str | None, budget: Budget | None = None) -> str:
        wanted = identifier if identifier is not None else registered.id_of(text or "")
        found = await self._text_of(wanted, budget)
        if found is not None:
            return found
        if identifier is not None:
            raise NotRegistered(f"There is no document {wanted[:80]}: `earnest documents add` registers one.")
        raise NotRegistered("Only registered documents are answered here: send the `documentId` of one.")

    async def _text_of(self, identifier: str, budget: Budget | None) -> str | None:
        if not registered.is_id(identifier):
            return None  # of any length: nobody remembers it
        found = self._texts.get(identifier)
        if found is None or found[0] < time.monotonic():
            if budget is not None:
                await budget.spend(costs.OPERATION)
            text = await registered.text_of(identifier)
            self._texts[identifier] = found = (time.monotonic() + REGISTERED_SECONDS, text)
            self._texts.move_to_end(identifier)
            if len(self._texts) > KEPT_MAX:
                self._texts.popitem(last=False)
        return found[1]

    async def _new(self, text: str, context: Context) -> Document:
        most = WITH_A_KEY if context.actor is not None else WITHOUT_A_KEY
        most.check(text)
        if context.budget is not None:
            await context.budget.spend(costs.of_reading(text))
        if len(text) <= READ_HERE_CHARACTERS:
            document = read(self._schema, text, most)
        else:
            document = await aside(lambda: read(self._schema, text, most), owner=context.owner)
        self._keep(text, document)
        return document

    def _keep(self, text: str, document: Document) -> None:
        if text not in self._kept:
            self._characters += len(text)
        self._kept[text] = document
        while len(self._kept) > KEPT_MAX or (self._characters > KEPT_CHARACTERS_MAX and len(self._kept) > 1):
            oldest, _ = self._kept.popitem(last=False)
            self._characters -= len(oldest)


def pick(document: DocumentNode, name: str | None) -> tuple[OperationDefinitionNode | None, list[GraphQLError]]:
    """The operation that is meant: the one of that name, or the only one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name is not None:
        for node in operations:
            if node.name is not None and node.name.value == name:
                return node, []
        return None, [GraphQLError(f"The query has no operation “{name}”.")]
    if len(operations) == 1:
        return operations[0], []
    return None, [
        GraphQLError("The query has several operations; name one in `operationName`.")
        if operations
        else GraphQLError("The query has no operation, only fragments.")
    ]


def read(schema: GraphQLSchema, text: str, most: Most) -> Document:
    """A text, parsed and validated. Raises `TooComplex` for what is too long, or too deep to be read."""
    most.check(text)
    try:
        node = parse(text, max_tokens=most.tokens)
        errors = validate(schema, node, max_errors=VALIDATION_ERRORS_MAX)
    except GraphQLError as error:
        if error.message.endswith("tokens. Parsing aborted."):
            raise TooComplex(f"The query has more than {most.tokens} tokens{most.why}.") from None
        if error.message.endswith("too deeply. Parsing aborted."):
            raise TooComplex("The query is nested too deeply.") from None
        return Document(None, [error])
    except RecursionError:
        raise TooComplex("The query is nested too deeply.") from None
    _forget_tokens(node)
    if any(error.message == "Validation aborted." for error in errors):
        raise TooComplex("The query repeats the same fields too often.")
    return Document(node, errors or unstorable_literals(text, node))


def _forget_tokens(document: DocumentNode) -> None:
    """Let go of what the parser read, but for the tokens where something begins or ends.

    They know their neighbours in both directions, circles that would have to be looked for once the document goes.
    """
    token = document.loc.start_token if document.loc is not None else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following
