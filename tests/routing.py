"""Says of a statement on which servers its rows lie, by the tables' placement and by what the statement itself equates.

It is parsed as PostgreSQL does (`pglast`). Each table that is distributed has to be bound to one and the same value:
a parameter, to which its column is equal, or is led by other columns that are. What holds inside of a subquery, on one side of
an outer join or for one use of a CTE says nothing about what is outside of it. Whatever isn't understood counts as not bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pglast.ast
from pglast import parse_sql
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, SubLinkType
from tortoise.models import Model

from escrow import models
from escrow.models.facts import columns_of, table_of
from escrow.placement import PLACES, Group
from webhooks import models as delivery_models

ast: Any = pglast.ast
"""The classes of nodes, which say of nearly every field that it may be missing."""

Cell = tuple[Any, ...]
"""A column of one use of a table, a parameter, or a constant."""

FIXED = ("$", "constant", "each")
"""What cells are bound to: a parameter, a constant, each element of a parameter."""


def _columns() -> dict[str, list[str]]:
    found = [one for module in (models, delivery_models) for one in vars(module).values()]
    kinds = [one for one in found if isinstance(one, type) and issubclass(one, Model) and one is not Model]
    return {table_of(kind): list(columns_of(kind)) for kind in kinds}


COLUMNS = _columns()


@dataclass(frozen=True, slots=True)
class Route:
    """Where a statement's rows lie."""

    groups: frozenset[Group]
    """Of all tables that it names."""
    writes_everywhere: bool
    """Whether it changes a table that is the same on every server."""
    anchors: frozenset[Cell]
    """What the rows of its distributed tables are bound to."""
    unbound: tuple[str, ...]
    """The distributed tables that are bound to nothing."""
    adrift: tuple[str, ...]
    """Those of them of which no other row says either in which shard to look: each of theirs is looked for in every shard."""

    @property
    def is_one_place(self) -> bool:
        """Whether it can be carried out by one server, which one is known before it is asked."""
        return len(self.groups - {Group.REFERENCE}) <= 1 and len(self.anchors) <= 1 and self.are_places_known

    @property
    def is_list(self) -> bool:
        """Whether it asks about several contracts, each by itself: a shard answers for those that it has, and joins its own."""
        named = {anchor[0] for anchor in self.anchors}
        return named == {"each"} and len(self.anchors) == 1 and not self.unbound and not self.writes_everywhere

    @property
    def are_places_known(self) -> bool:
        """Whether it is known beforehand which servers it needs, be it several: a contract's, an account's, the local one."""
        return (
            not self.writes_everywhere
            and not self.unbound
            and all(anchor[0] in ("$", "constant") for anchor in self.anchors)
        )


def route(sql: str) -> Route:
    """Where the rows of the statements in this text lie, all of them together."""
    tracer = _Tracer()
    for statement in parse_sql(sql):
        tracer.statement(statement.stmt, _Scope(None))
    return tracer.route()


@dataclass
class _Scope:
    """What names mean in one query: its sources by name, its CTEs, and the query around it."""

    around: _Scope | None
    sources: dict[str, dict[str, Cell]] = field(default_factory=dict)
    ctes: dict[str, dict[str, Cell]] = field(default_factory=dict)
    own: set[Any] = field(default_factory=set)
    """The uses of tables that this query's conditions restrict."""

    def cte(self, name: str) -> dict[str, Cell] | None:
        return self.ctes.get(name) or (self.around.cte(name) if self.around else None)

    def cell(self, path: Sequence[str]) -> Cell | None:
        """The column of that name, looked for as PostgreSQL does: here, then around."""
        *alias, column = path
        sources = [self.sources[alias[-1]]] if alias and alias[-1] in self.sources else []
        if not alias:
            sources = list(self.sources.values())
        found = next((source[column] for source in sources if column in source), None)
        return found if found is not None or self.around is None else self.around.cell(path)


class _Tracer:
    """Collects what is equal to what, and what is led by what, over a whole text."""

    def __init__(self) -> None:
        self._numbers = count()
        self._parents: dict[Cell, Cell] = {}
        self._led: list[tuple[Cell, Cell]] = []
        self._both: list[tuple[Cell, list[Cell | None]]] = []
        self._distributed: list[tuple[str, Cell]] = []
        self._groups: set[Group] = set()
        self._writes_everywhere = False

    # --- what came of it ---

    def route(self) -> Route:
        self._settle()
        anchors, unbound, adrift = set(), set(), set()
        led = self._led_classes()
        for table, cell in self._distributed:
            anchor = self._anchor(cell)
            if anchor is not None:
                anchors.add(anchor)
                continue
            unbound.add(table)
            if self._root(cell) not in led:
                adrift.add(table)
        return Route(
            frozenset(self._groups),
            self._writes_everywhere,
            frozenset(anchors),
            tuple(sorted(unbound)),
            tuple(sorted(adrift)),
        )

    def _led_classes(self) -> set[Cell]:
        """The roots of cells that are led by others, or equal to a column of what lies elsewhere."""
        own = {cell for _, cell in self._distributed}
        elsewhere = {cell for cell in (*self._parents, *self._parents.values()) if cell not in own}
        return {self._root(cell) for cell in (*elsewhere, *(cell for _, cell in self._led))}

    def _settle(self) -> None:
        """Follow what is led, and what is the same whichever part of a UNION it comes from, until nothing more is known."""
        changed = True
        while changed:
            changed = False
            for leader, led in self._led:
                if self._anchor(leader) is not None and self._anchor(led) is None:
                    self._same(leader, led)
                    changed = True
            for cell, parts in self._both:
                anchors = {self._anchor(part) if part is not None else None for part in parts}
                if len(anchors) == 1 and None not in anchors and self._anchor(cell) is None:
                    self._same(cell, next(part for part in parts if part is not None))
                    changed = True

    def _anchor(self, cell: Cell) -> Cell | None:
        root = self._root(cell)
        return root if root[0] in FIXED else None

    def _root(self, cell: Cell) -> Cell:
        while (parent := self._parents.get(cell, cell)) != cell:
            cell = parent
        return cell

    def _same(self, one: Cell, other: Cell) -> None:
        one, other = self._root(one), self._root(other)
        if one[0] in FIXED:
            one, other = other, one
        if one != other and one[0] not in FIXED:
            self._parents[one] = other

    # --- statements ---

    def statement(self, node: Any, scope: _Scope) -> dict[str, Cell]:
        """Look through a statement; gives the columns of its result."""
        for cte in node.withClause.ctes if getattr(node, "withClause", None) else ():
            if node.withClause.recursive:
                scope.ctes[cte.ctename] = {"?": self._fresh("recursive")}
            named = self.statement(cte.ctequery, _Scope(scope))
            if cte.aliascolnames:
                named = dict(zip((one.sval for one in cte.aliascolnames), named.values(), strict=False))
            scope.ctes[cte.ctename] = named or {"?": self._fresh("nothing")}
        match node:
            case ast.SelectStmt():
                return self._select(node, scope)
            case ast.InsertStmt():
                return self._insert(node, scope)
            case ast.UpdateStmt():
                return self._change(node, scope, node.fromClause or ())
            case ast.DeleteStmt():
                return self._change(node, scope, node.usingClause or ())
            case ast.TransactionStmt() | ast.VariableSetStmt() | ast.VariableShowStmt():
                return {}
        raise NotImplementedError(type(node).__name__)

    def _select(self, node: Any, scope: _Scope) -> dict[str, Cell]:
        if node.larg is not None:
            return self._union([self.statement(part, _Scope(scope)) for part in (node.larg, node.rarg)])
        if node.valuesLists:
            for row in node.valuesLists:
                self._look(row, scope)
            cells = [self._value(one, scope) for one in node.valuesLists[0]] if len(node.valuesLists) == 1 else []
            return {f"column{number}": cell or self._fresh("value") for number, cell in enumerate(cells, start=1)}
        for source in node.fromClause or ():
            self._source(source, scope)
        self._where(node.whereClause, scope)
        self._look([node.sortClause, node.havingClause, node.groupClause, node.limitCount, node.limitOffset], scope)
        return self._results(node.targetList or (), scope)

    def _union(self, parts: Sequence[dict[str, Cell]]) -> dict[str, Cell]:
        found = {}
        rows = [list(part.values()) for part in parts]
        for number, name in enumerate(parts[0]):
            found[name] = self._fresh("union")
            self._both.append((found[name], [row[number] if number < len(row) else None for row in rows]))
        return found

    def _insert(self, node: Any, scope: _Scope) -> dict[str, Cell]:
        target = self._table(node.relation, scope, is_written=True)
        names = [one.name for one in node.cols or ()] or COLUMNS[node.relation.relname]
        if node.selectStmt is not None:
            for name, cell in zip(names, self.statement(node.selectStmt, _Scope(scope)).values(), strict=False):
                self._led.append((cell, target[name]))
        if node.onConflictClause is not None:
            scope.sources["excluded"] = target
            self._look([node.onConflictClause], scope)
        return self._results(node.returningClause.exprs if node.returningClause else (), scope)

    def _change(self, node: Any, scope: _Scope, sources: Sequence[Any]) -> dict[str, Cell]:
        self._table(node.relation, scope, is_written=True)
        for source in sources:
            self._source(source, scope)
        self._where(node.whereClause, scope)
        self._look([getattr(node, "targetList", None)], scope)
        return self._results(node.returningClause.exprs if node.returningClause else (), scope)

    # --- sources ---

    def _source(self, node: Any, scope: _Scope, outer: bool = False) -> None:
        match node:
            case ast.RangeVar():
                named = scope.cte(node.relname) if node.schemaname is None else None
                if named is None:
                    self._table(node, scope)
                else:
                    self._add(scope, node.alias.aliasname if node.alias else node.relname, self._use(named, scope))
            case ast.RangeSubselect():
                found = self.statement(node.subquery, _Scope(scope))
                query = node.subquery
                is_plain = isinstance(query, ast.SelectStmt) and not any(
                    (query.limitCount, query.distinctClause, query.groupClause, query.withClause, query.larg)
                )
                self._add(
                    scope,
                    node.alias.aliasname,
                    self._renamed(found if is_plain else self._use(found, scope), node.alias),
                )
                if is_plain:
                    scope.own.update(cell[1] for cell in found.values() if cell[0] == "column")
            case ast.RangeFunction():
                self._function(node, scope)
            case ast.JoinExpr():
                self._join(node, scope)
            case _:
                raise NotImplementedError(type(node).__name__)

    def _join(self, node: Any, scope: _Scope) -> None:
        self._source(node.larg, scope)
        left = set(scope.own)
        before = dict(scope.sources)
        self._source(node.rarg, scope)
        for column in node.usingClause or ():
            sides = [
                [s[column.sval] for s in part if column.sval in s]
                for part in (before.values(), [s for name, s in scope.sources.items() if name not in before])
            ]
            if all(sides):
                self._equal(sides[0][0], sides[1][0], scope)
        if node.jointype == JoinType.JOIN_INNER:
            self._where(node.quals, scope)
        elif node.jointype == JoinType.JOIN_LEFT:
            self._where(node.quals, scope, own=scope.own - left)
        else:
            self._look([node.quals], scope)

    def _function(self, node: Any, scope: _Scope) -> None:
        self._look([node.functions], scope)
        alias = node.alias.aliasname if node.alias else f"?{next(self._numbers)}"
        names = [one.colname for one in node.coldeflist or ()]
        names = names or [one.sval for one in (node.alias.colnames if node.alias and node.alias.colnames else ())]
        number = next(self._numbers)
        scope.own.add(number)
        cells: dict[str, Cell] = {name: ("column", number, name) for name in names or [alias]}
        self._add(scope, alias, cells)
        call = node.functions[0][0]
        if isinstance(call, ast.FuncCall) and call.funcname[-1].sval == "unnest":
            for name, given in zip(cells, call.args, strict=False):
                self._led += [(each, cells[name]) for each in self._each(given, scope)]

    def _table(self, node: Any, scope: _Scope, *, is_written: bool = False) -> dict[str, Cell]:
        table, number = node.relname, next(self._numbers)
        if node.schemaname in ("pg_catalog", "information_schema") or table.startswith("pg_"):
            return {}
        place = PLACES[table]
        cells: dict[str, Cell] = {name: ("column", number, name) for name in COLUMNS[table]}
        self._groups.add(place.group)
        self._writes_everywhere |= is_written and place.group is Group.REFERENCE
        if place.column is not None:
            self._distributed.append((table, cells[place.column]))
        scope.own.add(number)
        alias = node.alias.aliasname if node.alias else table
        self._add(scope, alias, cells)
        return cells

    def _use(self, named: Mapping[str, Cell], scope: _Scope) -> dict[str, Cell]:
        """One use of what is made once: what is said of it here isn't said of its making."""
        number = next(self._numbers)
        scope.own.add(number)
        cells: dict[str, Cell] = {name: ("column", number, name) for name in named}
        self._led += [(named[name], cell) for name, cell in cells.items()]
        return cells

    def _renamed(self, found: dict[str, Cell], alias: Any) -> dict[str, Cell]:
        if not alias.colnames:
            return found
        return dict(zip((one.sval for one in alias.colnames), found.values(), strict=False))

    def _add(self, scope: _Scope, alias: str, cells: dict[str, Cell]) -> None:
        scope.sources[alias] = cells

    def _fresh(self, kind: str) -> Cell:
        return (kind, next(self._numbers))

    # --- conditions and values ---

    def _where(self, node: Any, scope: _Scope, own: set[Any] | None = None) -> None:
        """What a condition, all of whose parts must hold, says of the uses that it restricts."""
        match node:
            case None:
                return
            case ast.BoolExpr(boolop=BoolExprType.AND_EXPR):
                for part in node.args:
                    self._where(part, scope, own)
            case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP) if node.name[-1].sval == "=" and node.lexpr is not None:
                self._look([node.lexpr, node.rexpr], scope)
                for one, other in self._pairs(node.lexpr, node.rexpr):
                    cells = self._value(one, scope), self._value(other, scope)
                    if cells[0] is not None and cells[1] is not None:
                        self._equal(cells[0], cells[1], scope, own)
            case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP_ANY) if node.name[-1].sval == "=":
                self._look([node.lexpr, node.rexpr], scope)
                cell = self._value(node.lexpr, scope)
                if cell is not None and cell[0] == "column" and cell[1] in (scope.own if own is None else own):
                    self._led += [(each, cell) for each in self._each(node.rexpr, scope)]
            case _:
                self._look([node], scope)

    def _each(self, node: Any, scope: _Scope) -> list[Cell]:
        """The elements of an array, if that is a parameter, or a text that is taken apart (`database.listed`)."""
        is_text = isinstance(node, ast.FuncCall) and node.funcname[-1].sval == "string_to_array"
        cell = self._value(node.args[0] if is_text else node, scope)
        return [("each", cell[1])] if cell is not None and cell[0] == "$" else []

    def _pairs(self, one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(one, ast.RowExpr) and isinstance(other, ast.RowExpr):
            yield from zip(one.args, other.args, strict=False)
        else:
            yield one, other

    def _equal(self, one: Cell, other: Cell, scope: _Scope, own: set[Any] | None = None) -> None:
        restricted = scope.own if own is None else own
        is_own = [cell[0] == "column" and cell[1] in restricted for cell in (one, other)]
        if all(is_own):
            self._same(one, other)
        elif is_own[0]:
            self._led.append((other, one))
        elif is_own[1]:
            self._led.append((one, other))

    def _value(self, node: Any, scope: _Scope) -> Cell | None:
        match node:
            case ast.ColumnRef() if all(isinstance(one, ast.String) for one in node.fields):
                return scope.cell([one.sval for one in node.fields])
            case ast.ParamRef():
                return ("$", node.number)
            case ast.A_Const() if not node.isnull:
                return ("constant", str(getattr(node.val, "sval", node.val)))
            case ast.TypeCast():
                return self._value(node.arg, scope)
            case ast.SubLink(subLinkType=SubLinkType.EXPR_SUBLINK):
                query = node.subselect
                if isinstance(query, ast.SelectStmt) and query.fromClause is None and query.targetList:
                    return self._value(query.targetList[0].val, scope)
        return None

    def _results(self, targets: Sequence[Any], scope: _Scope) -> dict[str, Cell]:
        found: dict[str, Cell] = {}
        for target in targets:
            value = target.val
            self._look([value], scope)
            if isinstance(value, ast.ColumnRef) and isinstance(value.fields[-1], ast.A_Star):
                wanted = [value.fields[0].sval] if len(value.fields) > 1 else list(scope.sources)
                for alias in wanted:
                    for name, cell in (scope.sources.get(alias) or {}).items():
                        found[self._free(name, found)] = cell
                continue
            name = target.name
            if name is None:
                name = value.fields[-1].sval if isinstance(value, ast.ColumnRef) else f"?{next(self._numbers)}"
            found[self._free(name, found)] = self._value(value, scope) or self._fresh("value")
        return found

    def _free(self, name: str, taken: Mapping[str, Cell]) -> str:
        """The name of a result, or another if that is taken: the first is meant by it."""
        return name if name not in taken else f"{name}?{next(self._numbers)}"

    def _look(self, node: Any, scope: _Scope) -> None:
        """Go through whatever is in an expression for the queries inside of it."""
        match node:
            case None | str() | int() | float() | bool():
                return
            case list() | tuple():
                for one in node:
                    self._look(one, scope)
            case ast.SubLink():
                self._look([node.testexpr], scope)
                self.statement(node.subselect, _Scope(scope))
            case ast.Node():
                for name in node:
                    self._look(getattr(node, name), scope)
