"""Reads the statements of a step of the tables as PostgreSQL parses them, and objects to what would stop somebody.

The reading is conservative: whatever it doesn't know to be harmless it objects to, and the step says in `excused` why it is
(under the name that the objection begins with).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

from pglast import ast as nodes
from pglast import parse_sql
from pglast.enums import AlterTableType, ConstrType
from pglast.visitors import Visitor
from tortoise.migrations.migration import Migration
from tortoise.migrations.operations import RunSQL

from escrow.parts import Concurrently, InBatches, Part, part_of

ast: Any = nodes
"""A tree is read by its shape: its own types say of everything that it may be missing."""

HARMLESS_TO_A_NEW_COLUMN: Final = frozenset(
    {ConstrType.CONSTR_NULL, ConstrType.CONSTR_DEFAULT, ConstrType.CONSTR_NOTNULL}
)

CONSTANT: Final = (ast.A_Const, ast.TypeCast, ast.A_ArrayExpr)
"""A default of such a kind is stored once for all rows that are there; anything else rewrites the table."""


@dataclass
class Reading:
    """One step as it is read: what it made itself nobody else knows yet."""

    part: Part
    tables: set[str] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)

    def statement(self, node: Any) -> Iterator[str]:
        """What is wrong with one statement of plain SQL."""
        match node:
            case ast.CommentStmt():
                pass
            case ast.CreateStmt():
                self.tables.add(node.relation.relname)
            case ast.IndexStmt() if node.relation.relname not in self.tables:
                yield f"{node.idxname}: writers of {node.relation.relname} wait for it; build it by Concurrently"
            case ast.IndexStmt():
                pass
            case ast.AlterTableStmt() if node.relation.relname not in self.tables:
                for command in node.cmds:
                    yield from self._altered(node.relation.relname, command)
            case ast.AlterTableStmt():
                pass
            case ast.CreateTrigStmt() if node.relation.relname in self.tables:
                pass
            case ast.InsertStmt() if node.relation.relname in self.tables and node.selectStmt.valuesLists:
                pass
            case ast.CreateFunctionStmt() if not node.replace:
                pass
            case ast.InsertStmt() | ast.UpdateStmt() | ast.DeleteStmt():
                yield f"{node.relation.relname}: rows are changed in one transaction; do it InBatches"
            case ast.DropStmt() if self.part is Part.AFTER:
                pass
            case _:
                yield f"{_name(node)}: {type(node).__name__} may be noticed by processes of the former release"

    def _altered(self, table: str, command: Any) -> Iterator[str]:
        kind = AlterTableType(command.subtype)
        match kind:
            case AlterTableType.AT_AddColumn:
                self.columns.add(command.def_.colname)
                yield from _column(table, command.def_)
            case AlterTableType.AT_AddConstraint:
                yield from self._constraint(command.def_)
            case AlterTableType.AT_ValidateConstraint:
                pass
            case AlterTableType.AT_ColumnDefault if command.name in self.columns:
                pass
            case (
                AlterTableType.AT_DropColumn
                | AlterTableType.AT_DropConstraint
                | AlterTableType.AT_DropNotNull
                | AlterTableType.AT_ColumnDefault
            ) if self.part is Part.AFTER:
                pass
            case _:
                yield f"{table}.{command.name or kind.name}: {kind.name} may be noticed by processes of the former release"

    def _constraint(self, constraint: Any) -> Iterator[str]:
        name = constraint.conname
        if not constraint.skip_validation:
            yield f"{name}: all rows are looked at while everybody waits; add it NOT VALID, and validate it in the next step"
        if ConstrType(constraint.contype) is not ConstrType.CONSTR_CHECK:
            if self.part is Part.BEFORE:
                yield f"{name}: what processes of the former release write may break it"
        elif self.part is Part.BEFORE and not _columns(constraint.raw_expr) <= self.columns:
            yield f"{name}: what processes of the former release write may break it, since it isn't about new columns alone"


def objections(step: Migration) -> list[str]:
    """What is wrong with a step, and not excused by it; each begins with the name of what it is about."""
    excused = getattr(step, "excused", {})
    return [said for said in _objections(step) if said.partition(":")[0] not in excused]


def _objections(step: Migration) -> Iterator[str]:
    reading = Reading(part_of(step))
    plain = [one for one in step.operations if isinstance(one, RunSQL)]
    if plain and len(plain) != len(step.operations):
        yield f"{step.name}: plain SQL and what lasts are two steps"
    for one in step.operations:
        match one:
            case RunSQL():
                for raw in parse_sql(str(one.sql)):
                    yield from reading.statement(raw.stmt)
            case InBatches():
                yield from _batches(one)
            case Concurrently():
                yield from _index(one, reading.part)
            case _:
                yield f"{step.name}: {type(one).__name__} is no operation of ours"


def _column(table: str, column: Any) -> Iterator[str]:
    constraints = {ConstrType(one.contype): one for one in column.constraints or ()}
    name = f"{table}.{column.colname}"
    if ConstrType.CONSTR_NOTNULL in constraints and ConstrType.CONSTR_DEFAULT not in constraints:
        yield f"{name}: NOT NULL without a default fails what processes of the former release write"
    default = constraints.get(ConstrType.CONSTR_DEFAULT)
    if default is not None and not isinstance(default.raw_expr, CONSTANT):
        yield f"{name}: a default that is computed has all rows written anew while everybody waits"
    for kind in constraints.keys() - HARMLESS_TO_A_NEW_COLUMN:
        yield f"{name}: {kind.name} has all rows looked at, or written anew, while everybody waits"


def _batches(batches: InBatches) -> Iterator[str]:
    (raw,) = parse_sql(batches.sql)
    found = _Limits()
    found(cast("Any", raw.stmt))
    if not isinstance(raw.stmt, (ast.UpdateStmt, ast.DeleteStmt, ast.InsertStmt)) or not found.has_limit:
        yield "InBatches: it is one UPDATE, DELETE or INSERT with a LIMIT"


def _index(index: Concurrently, part: Part) -> Iterator[str]:
    (raw,) = parse_sql(index.sql)
    node: Any = raw.stmt
    if not isinstance(node, ast.IndexStmt) or not node.concurrent or node.idxname != index.index:
        yield f"{index.index}: it is one CREATE INDEX CONCURRENTLY of that name"
    elif node.unique and part is Part.BEFORE:
        yield f"{index.index}: what processes of the former release write may break it"


class _Limits(Visitor):
    """Whether there is a LIMIT anywhere."""

    has_limit = False

    def visit_SelectStmt(self, _: Any, node: Any) -> None:  # noqa: N802 - the visitor asks for it by name
        self.has_limit = self.has_limit or node.limitCount is not None


class _Columns(Visitor):
    """The columns that an expression names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_ColumnRef(self, _: Any, node: Any) -> None:  # noqa: N802 - likewise
        self.names.add(node.fields[-1].sval)


def _columns(expression: Any) -> set[str]:
    found = _Columns()
    found(expression)
    return found.names


def _name(node: Any) -> str:
    """What a statement is about, as far as it says."""
    if isinstance(node, ast.CreateTrigStmt):
        return str(node.trigname)
    for attribute in ("funcname", "objects"):
        parts = getattr(node, attribute, None)
        if parts:
            last = parts[-1]
            while isinstance(last, tuple):
                last = last[-1]
            return str(getattr(last, "sval", last))
    relation = getattr(node, "relation", None)
    return str(relation.relname if relation else type(node).__name__)
