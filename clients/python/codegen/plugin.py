"""Keeps the models readable when the server is newer than they are."""

from __future__ import annotations

import ast

from ariadne_codegen.plugins.base import Plugin
from graphql import FieldNode


class Lenient(Plugin):
    """Enums take values, and interfaces take types, that a later release adds."""

    def generate_enums_module(self, module: ast.Module) -> ast.Module:
        """`class State(OpenEnum)` in place of `class State(str, Enum)`: see `earnest_client.open_enum`."""
        for node in module.body:
            if isinstance(node, ast.ClassDef):
                node.bases = [ast.Name("OpenEnum", ast.Load())]
        classes = [node for node in module.body if not isinstance(node, ast.ImportFrom)]
        module.body = [ast.ImportFrom("earnest_client.open_enum", [ast.alias("OpenEnum")], 0), *classes]
        return module

    def generate_client_method(
        self, method_def: ast.FunctionDef | ast.AsyncFunctionDef, operation_definition: object
    ) -> ast.FunctionDef | ast.AsyncFunctionDef:
        """Without `**kwargs`, which would swallow every argument whose name is spelled wrongly."""
        method_def.args.kwarg = None
        for node in ast.walk(method_def):
            if isinstance(node, ast.Call):
                node.keywords = [word for word in node.keywords if word.arg is not None]
        return method_def

    def generate_inputs_module(self, module: ast.Module) -> ast.Module:
        """Inputs are made by the names of their fields."""
        return _named(module)

    def generate_result_types_module(self, module: ast.Module, operation_definition: object) -> ast.Module:
        """So are answers, in tests for one."""
        return _named(module)

    def generate_fragments_module(self, module: ast.Module, fragments_definitions: object) -> ast.Module:
        """And what they share."""
        return _named(module)

    def generate_result_field(
        self, field_implementation: ast.AnnAssign, operation_definition: object, field: FieldNode
    ) -> ast.AnnAssign:
        """`__typename` is a text: a list of the names of today would refuse those of tomorrow."""
        if isinstance(field_implementation.target, ast.Name) and field_implementation.target.id == "typename__":
            field_implementation.annotation = ast.Name("str", ast.Load())
        return field_implementation


def _named(module: ast.Module) -> ast.Module:
    """`Field(alias=…)` as two aliases: type checkers take the one for the name of the parameter, and those two for none."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Field":
            aliases = [word for word in node.keywords if word.arg == "alias"]
            names = ("validation_alias", "serialization_alias")
            node.keywords = [word for word in node.keywords if word.arg != "alias"]
            node.keywords += [ast.keyword(name, word.value) for word in aliases for name in names]
    return module
