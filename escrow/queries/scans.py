"""Turns lists of contracts and milestones into SQL: one index scan for each role, merged, or a search that is sorted.

A wide list walks an index that begins with the role's column and goes on in the list's order, and stops when the page is
full. Its conditions are written so that no other index can give the order: whatever PostgreSQL believes of its tables, a
page reads what it shows and what the remaining filters leave out. A narrow list, of some contracts or of titles with some
words, is found by these and sorted.
"""

# ruff: noqa: S608 - only our own columns and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from escrow import titles
from escrow.access import Actor, ActorKind
from escrow.errors import InvalidInput
from escrow.queries import changes, counts
from escrow.queries.counts import Counted

Place = tuple[object, str]
"""Where a page begins: the value of the order's key and the identifier of the last row before it."""

ROLES: Final = ("client_id", "freelancer_id")


@dataclass(frozen=True, slots=True)
class Span:
    """A span of a column's values: from the one, included, to before the other."""

    start: date | datetime | None = None
    before: date | datetime | None = None


EVERYTHING: Final = Span()


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a list: by a key, then by identifier. Where `key` is `id` the identifier is all of it.

    `by_state` tells that there is an index for it within each state; `for_everything` that there is one for all accounts
    together. Rows without a value of the key are not listed.
    """

    key: str
    type: str = "text"
    descending: bool = False
    by_state: bool = False
    for_everything: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        return ("id",) if self.key == "id" else (self.key, "id")

    def turned(self, *, backwards: bool) -> Order:
        """The same order, or the other way round."""
        return replace(self, descending=not self.descending) if backwards else self

    def since(self, updated: Span) -> Order:
        """The order of a list of what changed since a moment: by last change, that is the order of the log."""
        by_change = self.key == "updated_at" and updated.start is not None
        return replace(self, key=changes.PLACE, type="bigint") if by_change else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows a list has; `None` doesn't narrow. `spans` are by column, that of `updated_at` from a moment of the log on."""

    contract_id: str | None = None
    states: Collection[str] | None = None
    party: str | None = None
    currency: str | None = None
    title: str | None = None
    spans: dict[str, Span] = field(default_factory=dict)


@dataclass(slots=True)
class Arguments:
    """The arguments of a statement as it grows."""

    values: list[object] = field(default_factory=list)
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, value: object, of_type: str) -> str:
        """The parameter for a value; the same for the same value again."""
        known = (of_type, repr(value))
        if known not in self._known:
            self.values.append(value)
            self._known[known] = f"${len(self.values)}::{of_type}"
        return self._known[known]


@dataclass(frozen=True, slots=True)
class Listed:
    """The table that is listed: its alias in statements, where contracts' columns are found, and how it is searched."""

    table: str
    alias: str
    kind: str
    contract_id: str
    columns: str
    beside: str = ""
    """What is joined to each row by its key."""


def statement(
    listed: Listed, actor: Actor, wanted: Filter, order: Order, *, limit: int, after: Place | None
) -> tuple[str, list[object]]:
    """The statement of a page, and its arguments.

    The order is the one that `Order.since` gives. Refuses with `InvalidInput` an operator's list over all accounts in an order
    that has no index for it.
    """
    arguments = Arguments()
    build = _Page(listed, actor, wanted, order, arguments, arguments.add(limit, "int"), after)
    return build.statement(), arguments.values


async def counted(listed: Listed, actor: Actor, wanted: Filter, order: Order) -> Counted:
    """How many rows a list has; one statement. Refuses what `statement` does."""
    sql, arguments = statement(listed, actor, wanted, order, limit=counts.COUNTED_MAX + 1, after=None)
    return await counts.counted(sql, *arguments)


@dataclass(slots=True)
class _Page:
    listed: Listed
    actor: Actor
    wanted: Filter
    order: Order
    arguments: Arguments
    limit: str
    after: Place | None

    def statement(self) -> str:
        if self.wanted.title is not None or self.wanted.contract_id is not None or self.actor.contract_ids is not None:
            scans = [self._narrow()]
        else:
            scans = self._wide()
        merged = " UNION ALL ".join(f"({scan})" for scan in scans)
        return f"SELECT * FROM ({merged}) AS found ORDER BY {self._ordered(self.order.keys)} LIMIT {self.limit}"

    # -- narrow: found by title or contract, then sorted ----------------------------------------------------------

    def _narrow(self) -> str:
        listed, wanted = self.listed, self.wanted
        conditions = [*self._filters(), *self._seen()]
        source = f"{listed.table} AS {listed.alias}"
        if wanted.title is not None:
            owner = "" if self.actor.kind is ActorKind.OPERATOR else self.actor.account_id or ""
            said = f"{self._add(titles.tsquery(listed.kind, owner, wanted.title))}::tsquery"
            source = (
                f"(SELECT subject_id FROM titles WHERE words @@ {said} OFFSET 0) AS title CROSS JOIN LATERAL "
                f"(SELECT * FROM {listed.table} WHERE id = title.subject_id OFFSET 0) AS {listed.alias}"
            )
        if wanted.contract_id is not None:
            conditions.append(f"{listed.contract_id} = {self._add(wanted.contract_id)}")
        if self.actor.contract_ids is not None:
            within = self.arguments.add(sorted(self.actor.contract_ids), "text[]")
            conditions.append(f"{listed.contract_id} = ANY ({within})")
        if wanted.states is not None:
            conditions.append(self._state_is_any())
        conditions += self._further_on()
        conditions += self._spans(self._other_spans())
        return self._scan(source, conditions, self.order.keys)

    def _seen(self) -> list[str]:
        """Which parties a row must have, where it was not found by them; a mediator sees what was disputed, too."""
        parties = f"{self.listed.alias}.client_id, {self.listed.alias}.freelancer_id"
        me = self._add(self.actor.account_id) if self.actor.kind is not ActorKind.OPERATOR else None
        party = self._add(self.wanted.party) if self.wanted.party is not None else None
        if self.actor.is_mediator and me is not None:
            disputed = f"EXISTS (SELECT FROM contracts WHERE id = {self.listed.contract_id} AND was_disputed)"
            return [f"({me} IN ({parties}) OR {disputed})", *([f"{party} IN ({parties})"] if party else [])]
        if me is not None and party is not None:
            return [f"({parties}) IN (({me}, {party}), ({party}, {me}))"]
        return [f"{one} IN ({parties})" for one in (me, party) if one is not None]

    # -- wide: one scan of an index for each role -----------------------------------------------------------------

    def _wide(self) -> list[str]:
        states: Sequence[str | None] = [None]
        if self.wanted.states is not None and self.order.by_state:
            states = sorted(set(self.wanted.states))
            if not states:
                return [self._nothing()]
        if self.actor.kind is ActorKind.OPERATOR and self.wanted.party is None:
            if not self.order.for_everything:
                raise InvalidInput(
                    "Over all accounts there is no such order: narrow the list by `party`, `contractId` or `title`.",
                    field="orderBy",
                )
            return [self._walk(None, None, None, None)]
        if self.order.key == changes.PLACE:
            own = [self._walk_log(*role) for role in self._roles()]
        else:
            own = [self._walk(*role, state) for role in self._roles() for state in states]
        return [*own, self._disputed()] if self.actor.is_mediator else own

    def _disputed(self) -> str:
        """What only a mediator sees: the contracts that are or were disputed are few, so they are found first and sorted."""
        parties = f"{self.listed.alias}.client_id, {self.listed.alias}.freelancer_id"
        conditions = [*self._filters(), f"{self._add(self.actor.account_id)} NOT IN ({parties})"]
        conditions.append(f"{self.listed.contract_id} = ANY (ARRAY(SELECT id FROM contracts WHERE was_disputed))")
        if self.wanted.party is not None:
            conditions.append(f"{self._add(self.wanted.party)} IN ({parties})")
        if self.wanted.states is not None:
            conditions.append(self._state_is_any())
        conditions += self._further_on()
        conditions += self._spans(self._other_spans())
        return self._scan(f"{self.listed.table} AS {self.listed.alias}", conditions, self.order.keys)

    def _roles(self) -> list[tuple[str, str, str | None]]:
        """For each scan the role's column, who has it, and who has the other, if that was asked for."""
        me = self.actor.account_id if self.actor.kind is not ActorKind.OPERATOR else None
        owner, other = (me, self.wanted.party) if me is not None else (self.wanted.party, None)
        return [(role, owner or "", other) for role in ROLES]

    def _nothing(self) -> str:
        source = f"{self.listed.table} AS {self.listed.alias}"
        return self._scan(source, ["false"], self.order.keys)

    def _walk(self, role: str | None, owner: str | None, other: str | None, state: str | None) -> str:
        """A scan in the order of an index. The role's column, and the state's, come first in the order and in both bounds:
        an equality would let another index look as good."""
        alias, order = self.listed.alias, self.order
        conditions = self._filters()
        first: list[tuple[str, str]] = []
        roughly: list[str] = []
        if role is not None:
            mine = self._add(owner)
            first.append((f"{alias}.{role}", mine))
            roughly = [f"{alias}.{role} >= {mine}", f"{alias}.{role} <= {mine}"]
            if other is not None:
                the_other = ROLES[1 - ROLES.index(role)]
                conditions.append(f"{alias}.{the_other} = {self._add(other)}")
        if state is not None:
            first.append((f"{alias}.state", self._add(state)))
        elif self.wanted.states is not None:
            conditions.append(self._state_is_any())
        spans = self._other_spans()
        # The bounds stand first, where the scan begins by them; the same said roughly lets PostgreSQL expect enough rows.
        bounds = self._bounds(first, spans.pop(order.key, EVERYTHING))
        conditions = [*bounds, *roughly, *conditions, *self._spans(spans)]
        leading = [column.partition(".")[2] for column, _ in first]
        return self._scan(f"{self.listed.table} AS {alias}", conditions, (*leading, *order.keys))

    def _walk_log(self, role: str, owner: str, other: str | None) -> str:
        """A scan in the order of the log: positions name the parties, and each row is met at the event that changed it last."""
        alias, mine = self.listed.alias, self._add(owner)
        conditions = [f"changed.{role} <= {mine}"]
        if self.after is None or self.order.descending:
            conditions.append(f"(changed.{role}, changed.position) >= ({mine}, {self._since()})")
        else:  # said so that the scan begins at the place of the page before, which lies behind
            conditions.append(f"changed.position + 0 >= {self._since()}")
        if self.after is not None:
            bound = "<=" if self.order.descending else ">="
            conditions.append(f"(changed.{role}, changed.position) {bound} ({mine}, {self._place()[0]})")
        conditions += [changes.IS_LAST, *self._filters(), *self._further_on(), *self._spans(self._other_spans())]
        if other is not None:
            conditions.append(f"{alias}.{ROLES[1 - ROLES.index(role)]} = {self._add(other)}")
        if self.wanted.states is not None:
            conditions.append(self._state_is_any())
        source = changes.walk(self.listed.table, alias, self.listed.contract_id)
        return self._scan(source, conditions, (f"changed.{role}", *self.order.keys), joined=True)

    def _bounds(self, first: list[tuple[str, str]], span: Span) -> list[str]:
        """Where the scan begins and where it ends, one condition each: of two PostgreSQL begins at either.

        The place of the page before lies within the span, so it is the tighter bound.
        """
        key = f"{self.listed.alias}.{self.order.key}"
        place = None
        if self.after is not None:
            columns = [f"{self.listed.alias}.{one}" for one in self.order.keys]
            place = _compare([*first, *zip(columns, self._place(), strict=True)], self._further)
        low = None if self.order.descending else place
        high = place if self.order.descending else None
        if low is None and span.start is not None:
            low = _compare([*first, (key, self._key(span.start))], ">=")
        if high is None and span.before is not None:
            high = _compare([*first, (key, self._key(span.before))], "<")
        if first:
            low = low or _compare(first, ">=")
            high = high or _compare(first, "<=")
        return [bound for bound in (low, high) if bound is not None]

    # -- what both have -------------------------------------------------------------------------------------------

    def _scan(self, source: str, conditions: Sequence[str], keys: Sequence[str], *, joined: bool = False) -> str:
        """`joined` tells that the source tells by itself where in the log a row changed."""
        ordered = self._ordered([self._column(key) for key in keys])
        if self._changed_since is not None and not joined:
            source = f"{source} {changes.last(self.listed.alias, self.listed.contract_id)}"
            conditions = [*conditions, f"{changes.COLUMN} >= {self._since()}"]
        where = " AND ".join(conditions) or "true"
        return (
            f"SELECT {self.listed.columns} FROM {source} {self.listed.beside} WHERE {where} "
            f"ORDER BY {ordered} LIMIT {self.limit}"
        )

    def _column(self, key: str) -> str:
        if key == changes.PLACE:
            return changes.COLUMN
        return key if "." in key else f"{self.listed.alias}.{key}"

    def _further_on(self) -> list[str]:
        """The condition of what comes after the place of the page before, where no index begins by it."""
        if self.after is None:
            return []
        keys = ", ".join(map(self._column, self.order.keys))
        return [f"({keys}) {self._further} ({', '.join(self._place())})"]

    @property
    def _changed_since(self) -> date | datetime | None:
        return self.wanted.spans.get("updated_at", EVERYTHING).start

    def _since(self) -> str:
        """The position from which on something counts as changed."""
        return changes.first_since(self.arguments.add(self._changed_since, "timestamptz"))

    def _other_spans(self) -> dict[str, Span]:
        """The spans of columns; since when something changed is told by the log."""
        spans = dict(self.wanted.spans)
        if self._changed_since is not None:
            spans["updated_at"] = Span(None, spans["updated_at"].before)
        return spans

    def _filters(self) -> list[str]:
        """What no scan is found by."""
        found = []
        if self.wanted.currency is not None:
            found.append(f"c.currency = {self._add(self.wanted.currency)}")
        if self.order.key == "deadline_at":
            found.append(f"{self.listed.alias}.deadline_at IS NOT NULL")
        return found

    def _spans(self, spans: dict[str, Span]) -> list[str]:
        found = []
        for column, span in spans.items():
            of_type = "date" if column == "due_on" else "timestamptz"
            for bound, sign in ((span.start, ">="), (span.before, "<")):
                if bound is not None:
                    found.append(f"{self.listed.alias}.{column} {sign} {self.arguments.add(bound, of_type)}")
        return found

    def _state_is_any(self) -> str:
        return f"{self.listed.alias}.state = ANY ({self.arguments.add(sorted(self.wanted.states or ()), 'text[]')})"

    def _ordered(self, keys: Sequence[str]) -> str:
        return ", ".join(f"{key} DESC" if self.order.descending else key for key in keys)

    @property
    def _further(self) -> str:
        return "<" if self.order.descending else ">"

    def _place(self) -> list[str]:
        if self.after is None:
            raise ValueError("a first page begins nowhere in particular")
        value, identifier = self.after
        return [self._add(identifier)] if self.order.key == "id" else [self._key(value), self._add(identifier)]

    def _key(self, value: object) -> str:
        return self.arguments.add(value, self.order.type)

    def _add(self, text: str | None) -> str:
        return self.arguments.add(text, "text")


def _compare(pairs: Sequence[tuple[str, str]], sign: str) -> str:
    columns, values = zip(*pairs, strict=True)
    return f"({', '.join(columns)}) {sign} ({', '.join(values)})"
