"""Measures the source: lines, functions, circles of imports, and the files that a noun's facts stand in."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Final

ROOT: Final = Path(__file__).parents[2]

PACKAGES: Final = ("escrow", "webhooks", "connectors", "schema", "api", "workers", "earnest")

LINES_MAX: Final = 450
"""No file is longer: it would have two subjects."""

LINES_MEDIAN: Final = 110
"""Half of the files are shorter."""

FUNCTION_LINES_MEDIAN: Final = 7
"""Half of the functions are no longer."""

LINES: Final = 40_081
"""What the source had before it was laid out by nouns, for comparison: it may grow with what it does."""

CIRCLES_MAX: Final = 2
"""Circles of imports in all: types of GraphQL know each other."""


@cache
def sources() -> tuple[Path, ...]:
    """Every Python file of the product, tests left out, by path from the project's root."""
    found = (path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(sorted(found))


@cache
def text_of(path: Path) -> str:
    """What stands in a source file."""
    return (ROOT / path).read_text()


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a source file."""
    return ast.parse(text_of(path))


def lines() -> dict[Path, int]:
    """How many lines each source file has; files of packages that only bear a name and a sentence count as well."""
    return {path: text_of(path).count("\n") for path in sources()}


def function_lines() -> list[int]:
    """How many lines each function has, its signature and its docstring included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for path in sources() for node in ast.walk(tree_of(path)) if isinstance(node, kinds))
    return [(node.end_lineno or node.lineno) - node.lineno + 1 for node in nodes]


def classes_of(path: Path) -> list[str]:
    """The names of the classes that a source file defines."""
    return [node.name for node in tree_of(path).body if isinstance(node, ast.ClassDef)]


def stems() -> Counter[str]:
    """How often each name of a file or of a folder occurs, without suffix; `__init__` and `__main__` are no names."""
    files = Counter(path.stem for path in sources() if not path.stem.startswith("__"))
    folders = Counter(folder.name for folder in {path.parent for path in sources()})
    return files + folders


def module_of(path: Path) -> str:
    """`escrow.agreement` for `escrow/agreement/__init__.py`."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def imports() -> dict[str, set[str]]:
    """For each module the modules of ours that it imports when it is loaded."""
    modules = {module_of(path) for path in sources()}
    return {module_of(path): set(_imported(tree_of(path), modules)) - {module_of(path)} for path in sources()}


def _imported(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    for node in _loaded(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from named & modules
            if named - modules:
                yield node.module
        elif isinstance(node, ast.ImportFrom):
            yield from {f"{node.module}.{alias.name}" for alias in node.names} & modules
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules


def _loaded(tree: ast.Module) -> Iterator[ast.stmt]:
    """Every import outside of functions, those for type checkers included."""
    for node in tree.body:
        yield node
        if isinstance(node, ast.If):
            yield from node.body


def circles(arrows: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The sets of modules that import each other in a circle: strongly connected components of more than one."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in arrows[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            start = stack.index(module)
            if len(stack) - start > 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for module in arrows:
        if module not in index:
            visit(module)
    return sorted(found)


def middle(values: Iterable[int]) -> float:
    """The median."""
    return median(values)
