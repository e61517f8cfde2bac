"""Turns lists of contracts and milestones into SQL: one index scan for each role, merged, or a search that is sorted.

A wide list walks an index that begins with the role's column and goes on in the list's order, and stops when the page is
full. Its conditions are written so that no other index can give the order: whatever PostgreSQL believes of its tables, a
page reads what it shows and what the remaining filters leave out. A narrow list, of some contracts or of titles with some
words, is found by these and sorted. What a mediator sees beside either, since it was disputed, is found by that and sorted.
"""

# ruff: noqa: S608 - only our own columns and numbers of parameters are filled into statements

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final, NamedTuple

from escrow import titles
from escrow.access import Actor, ActorKind
from escrow.database import Statement, blind
from escrow.errors import InvalidInput
from escrow.queries import changes, counts
from escrow.queries.counts import Counted
from escrow.queries.ranges import NOTHING, Bounds, Span, bounds, within
from escrow.queries.reading import STATEMENTS_MAX

Place = tuple[object, str]
"""Where a page begins: the value of the order's key and the identifier of the last row before it."""

ROLES: Final = ("client_id", "freelancer_id")


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


LIMIT: Final = ":row_count::int"
ME: Final = ":me::text"
PARTY: Final = ":party::text"
CURRENCY: Final = ":currency::text"
CONTRACT: Final = ":contract_id::text"
WITHIN: Final = ":within::text[]"
STATES: Final = ":states::text[]"
WORDS: Final = ":words::text::tsquery"
WORDS_OF_ALL: Final = ":words_of_all::text::tsquery"
AFTER_ID: Final = ":after_id::text"
"""The parameters of statements, named as `values` gives them."""

_NARROW: Final = frozenset({"words", "contract_id", "within"})
"""Those by which a list is found, and then sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows a list has; `None` doesn't narrow. `spans` are by column, that of `updated_at` from a moment of the log on."""

    contract_id: str | None = None
    states: Collection[str] | None = None
    party: str | None = None
    currency: str | None = None
    title: str | None = None
    spans: dict[str, Span] = field(default_factory=dict)


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
    given = values(actor, wanted, listed.kind, limit=limit, after=after)
    made = _made(listed, order, viewed(actor), frozenset(given))
    return made.sql, [given[name] for name in made.names]


class Viewed(NamedTuple):
    """As what somebody looks at a list, as far as its statement depends on it."""

    is_operator: bool
    is_mediator: bool
    """Whether what was disputed is listed beside what is one's own."""


def viewed(actor: Actor) -> Viewed:
    is_operator = actor.kind is ActorKind.OPERATOR
    return Viewed(is_operator, actor.is_mediator and not is_operator)


def values(actor: Actor, wanted: Filter, kind: str, *, limit: int, after: Place | None) -> dict[str, object]:
    """All that statements of lists name, by their parameters. Which are there decides what the statement is."""
    is_operator = actor.kind is ActorKind.OPERATOR
    named = {"party": wanted.party, "currency": wanted.currency, "contract_id": wanted.contract_id}
    found: dict[str, object] = {"row_count": limit, "me": actor.account_id}
    found |= {name: value for name, value in named.items() if value is not None}
    if wanted.title is not None:
        found["words"] = titles.tsquery(kind, "" if is_operator else actor.account_id or "", wanted.title)
        if actor.is_mediator:
            found["words_of_all"] = titles.tsquery(kind, "", wanted.title)
    if actor.contract_ids is not None:
        found["within"] = sorted(actor.contract_ids)
    if wanted.states is not None:
        states = sorted(set(wanted.states))
        found |= {"states": states} | {f"state_{number}": one for number, one in enumerate(states)}
    for column, span in wanted.spans.items():
        if span.start is not None:
            found[f"{column}_from"] = span.start
        if span.before is not None:
            found[f"{column}_before"] = span.before
    if after is not None:
        found["after_key"], found["after_id"] = after
    return found


@lru_cache(maxsize=STATEMENTS_MAX)
def _made(listed: Listed, order: Order, who: Viewed, given: frozenset[str]) -> Statement:
    """The statement of all pages that are asked for so."""
    return planned(_Page(listed, order, who, given).statement(), who, given)


def planned(sql: str, who: Viewed, given: Collection[str]) -> Statement:
    """A list's statement. Somebody's own walks the same index whoever asks, so its plan is kept; how a narrow one is best
    found depends on what is asked for, and whether a walk over everything pays on how long the page is."""
    is_bounded = not who.is_operator or "party" in given
    return Statement(blind(sql) if is_bounded and _NARROW.isdisjoint(given) else sql)


def titled(alias: str, contract_id: str) -> str:
    """Joins a row with its title, looked up by its key, if that has the words, whosever it is."""
    return (
        f"CROSS JOIN LATERAL (SELECT FROM titles WHERE contract_id = {contract_id} AND subject_id = {alias}.id "
        f"AND words @@ {WORDS_OF_ALL} OFFSET 0) AS title"
    )


async def counted(listed: Listed, actor: Actor, wanted: Filter, order: Order) -> Counted:
    """How many rows a list has; one statement. Refuses what `statement` does."""
    sql, arguments = statement(listed, actor, wanted, order, limit=counts.COUNTED_MAX + 1, after=None)
    return await counts.counted(sql, *arguments)


@dataclass(slots=True)
class _Page:
    listed: Listed
    order: Order
    who: Viewed
    given: frozenset[str]

    def statement(self) -> str:
        scans = self._wide() if _NARROW.isdisjoint(self.given) else [self._narrow()]
        if self.who.is_mediator:
            scans.append(self._disputed())
        merged = " UNION ALL ".join(f"({scan})" for scan in scans)
        return f"SELECT * FROM ({merged}) AS found ORDER BY {self._ordered(self.order.keys)} LIMIT {LIMIT}"

    # -- narrow: found by title or contract, then sorted ----------------------------------------------------------

    def _narrow(self) -> str:
        listed, given = self.listed, self.given
        conditions = [*self._filters(), *self._seen()]
        source = f"{listed.table} AS {listed.alias}"
        if "words" in given:
            source = (
                f"(SELECT subject_id FROM titles WHERE words @@ {WORDS} OFFSET 0) AS title CROSS JOIN LATERAL "
                f"(SELECT * FROM {listed.table} WHERE id = title.subject_id OFFSET 0) AS {listed.alias}"
            )
        conditions += self._of_contracts()
        if "states" in given:
            conditions.append(self._state_is_any())
        conditions += self._further_on()
        conditions += self._spans(self._other_spans())
        return self._scan(source, conditions, self.order.keys)

    def _seen(self) -> list[str]:
        """Which parties a row must have, where it was not found by them."""
        parties = f"{self.listed.alias}.client_id, {self.listed.alias}.freelancer_id"
        me = ME if not self.who.is_operator else None
        party = PARTY if "party" in self.given else None
        if me is not None and party is not None:
            return [f"({parties}) IN (({me}, {party}), ({party}, {me}))"]
        return [f"{one} IN ({parties})" for one in (me, party) if one is not None]

    # -- wide: one scan of an index for each role -----------------------------------------------------------------

    def _wide(self) -> list[str]:
        states: Sequence[str | None] = [None]
        if "states" in self.given and self.order.by_state:
            states = sorted(f":{name}::text" for name in self.given if name.startswith("state_"))
            if not states:
                return [self._nothing()]
        if self.who.is_operator and "party" not in self.given:
            if not self.order.for_everything:
                raise InvalidInput(
                    "Over all accounts there is no such order: narrow the list by `party`, `contractId` or `title`.",
                    field="orderBy",
                )
            return [self._walk(None, None, None, None)]
        if self.order.key == changes.PLACE:
            return [self._walk_log(*role) for role in self._roles()]
        return [self._walk(*role, state) for role in self._roles() for state in states]

    # -- what was disputed ----------------------------------------------------------------------------------------

    def _disputed(self) -> str:
        """What only a mediator sees: the contracts that are or were disputed are few, so they are found first and sorted."""
        parties = f"{self.listed.alias}.client_id, {self.listed.alias}.freelancer_id"
        source = f"{self.listed.table} AS {self.listed.alias}"
        if "words" in self.given:
            source = f"{source} {titled(self.listed.alias, self.listed.contract_id)}"
        conditions = [*self._filters(), *self._of_contracts(), f"{ME} NOT IN ({parties})"]
        conditions.append(f"{self.listed.contract_id} = ANY (ARRAY(SELECT id FROM contracts WHERE was_disputed))")
        if "party" in self.given:
            conditions.append(f"{PARTY} IN ({parties})")
        if "states" in self.given:
            conditions.append(self._state_is_any())
        conditions += self._further_on()
        conditions += self._spans(self._other_spans())
        return self._scan(source, conditions, self.order.keys)

    def _roles(self) -> list[tuple[str, str, str | None]]:
        """For each scan the role's column, who has it, and who has the other, if that was asked for."""
        party = PARTY if "party" in self.given else None
        owner, other = (PARTY, None) if self.who.is_operator else (ME, party)
        return [(role, owner, other) for role in ROLES]

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
        if role is not None and owner is not None:
            first.append((f"{alias}.{role}", owner))
            roughly = [f"{alias}.{role} >= {owner}", f"{alias}.{role} <= {owner}"]
            if other is not None:
                the_other = ROLES[1 - ROLES.index(role)]
                conditions.append(f"{alias}.{the_other} = {other}")
        if state is not None:
            first.append((f"{alias}.state", state))
        elif "states" in self.given:
            conditions.append(self._state_is_any())
        spans = self._other_spans()
        # The bounds stand first, where the scan begins by them; the same said roughly lets PostgreSQL expect enough rows.
        bounds = self._bounds(first, spans.pop(order.key, (None, None)))
        conditions = [*bounds, *roughly, *conditions, *self._spans(spans)]
        leading = [column.partition(".")[2] for column, _ in first]
        return self._scan(f"{self.listed.table} AS {alias}", conditions, (*leading, *order.keys))

    def _walk_log(self, role: str, owner: str, other: str | None) -> str:
        """A scan in the order of the log: positions name the parties, and each row is met at the event that changed it last."""
        alias = self.listed.alias
        conditions = [f"changed.{role} <= {owner}"]
        if not self._goes_on or self.order.descending:
            conditions.append(f"(changed.{role}, changed.position) >= ({owner}, {self._since()})")
        else:  # said so that the scan begins at the place of the page before, which lies behind
            conditions.append(f"changed.position + 0 >= {self._since()}")
        if self._goes_on:
            bound = "<=" if self.order.descending else ">="
            conditions.append(f"(changed.{role}, changed.position) {bound} ({owner}, {self._place()[0]})")
        conditions += [changes.IS_LAST, *self._filters(), *self._further_on(), *self._spans(self._other_spans())]
        if other is not None:
            conditions.append(f"{alias}.{ROLES[1 - ROLES.index(role)]} = {other}")
        if "states" in self.given:
            conditions.append(self._state_is_any())
        source = changes.walk(self.listed.table, alias, self.listed.contract_id)
        return self._scan(source, conditions, (f"changed.{role}", *self.order.keys), joined=True)

    def _bounds(self, first: list[tuple[str, str]], span: Bounds) -> list[str]:
        """Where the scan begins and where it ends, one condition each that an index knows: of two PostgreSQL begins at either.

        The place of the page before lies within the span, unless that was another one then: so the scan begins at the place,
        and what lies outside the span is left out as it comes.
        """
        key = f"{self.listed.alias}.{self.order.key}"
        place = None
        if self._goes_on:
            columns = [f"{self.listed.alias}.{one}" for one in self.order.keys]
            place = _compare([*first, *zip(columns, self._place(), strict=True)], self._further)
        low = None if self.order.descending else place
        high = place if self.order.descending else None
        start, before = span
        apart = []
        if start is not None:
            if low is None:
                low = _compare([*first, (key, start)], ">=")
            else:
                apart.append(f"{self._unknown(key)} >= {start}")
        if before is not None:
            if high is None:
                high = _compare([*first, (key, before)], "<")
            else:
                apart.append(f"{self._unknown(key)} < {before}")
        if first:
            low = low or _compare(first, ">=")
            high = high or _compare(first, "<=")
        return [*(bound for bound in (low, high) if bound is not None), *apart]

    def _unknown(self, key: str) -> str:
        """The order's key, said so that no index knows it."""
        return f"{key} + {NOTHING[self.order.type]}"

    # -- what both have -------------------------------------------------------------------------------------------

    def _scan(self, source: str, conditions: Sequence[str], keys: Sequence[str], *, joined: bool = False) -> str:
        """`joined` tells that the source tells by itself where in the log a row changed."""
        ordered = self._ordered([self._column(key) for key in keys])
        if "updated_at_from" in self.given and not joined:
            source = f"{source} {changes.last(self.listed.alias, self.listed.contract_id)}"
            conditions = [*conditions, f"{changes.COLUMN} >= {self._since()}"]
        where = " AND ".join(conditions) or "true"
        return (
            f"SELECT {self.listed.columns} FROM {source} {self.listed.beside} WHERE {where} "
            f"ORDER BY {ordered} LIMIT {LIMIT}"
        )

    def _column(self, key: str) -> str:
        if key == changes.PLACE:
            return changes.COLUMN
        return key if "." in key else f"{self.listed.alias}.{key}"

    def _further_on(self) -> list[str]:
        """The condition of what comes after the place of the page before, where no index begins by it."""
        if not self._goes_on:
            return []
        keys = ", ".join(map(self._column, self.order.keys))
        return [f"({keys}) {self._further} ({', '.join(self._place())})"]

    @property
    def _goes_on(self) -> bool:
        """Whether it is the page after a place."""
        return "after_id" in self.given

    def _since(self) -> str:
        """The position from which on something counts as changed."""
        return changes.first_since(":updated_at_from::timestamptz")

    def _other_spans(self) -> dict[str, Bounds]:
        """The spans of columns; since when something changed is told by the log."""
        return bounds(self.given)

    def _filters(self) -> list[str]:
        """What no scan is found by."""
        found = []
        if "currency" in self.given:
            found.append(f"c.currency = {CURRENCY}")
        if self.order.key == "deadline_at":
            found.append(f"{self.listed.alias}.deadline_at IS NOT NULL")
        return found

    def _of_contracts(self) -> list[str]:
        """The contracts that the list is narrowed to."""
        one = [f"{self.listed.contract_id} = {CONTRACT}"] if "contract_id" in self.given else []
        return [*one, f"{self.listed.contract_id} = ANY ({WITHIN})"] if "within" in self.given else one

    def _spans(self, spans: Mapping[str, Bounds]) -> list[str]:
        return within(self.listed.alias, spans)

    def _state_is_any(self) -> str:
        return f"{self.listed.alias}.state = ANY ({STATES})"

    def _ordered(self, keys: Sequence[str]) -> str:
        return ", ".join(f"{key} DESC" if self.order.descending else key for key in keys)

    @property
    def _further(self) -> str:
        return "<" if self.order.descending else ">"

    def _place(self) -> list[str]:
        return [AFTER_ID] if self.order.key == "id" else [f":after_key::{self.order.type}", AFTER_ID]


def _compare(pairs: Sequence[tuple[str, str]], sign: str) -> str:
    columns, values = zip(*pairs, strict=True)
    return f"({', '.join(columns)}) {sign} ({', '.join(values)})"
