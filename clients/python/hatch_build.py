"""Makes `earnest_client.api` of the schema and the shared operations whenever the package is built from the repository.

A source distribution has it already and no schema beside it, so it is built from what it brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SCALARS = {
    "Decimal": "str",
    "CurrencyCode": "str",
    "Cursor": "str",
    "Date": "str",
    "DateTime": "str",
    "Duration": "str",
}
"""Amounts, dates and times stay the texts that they are: exact, and the caller's to read."""

SETTINGS = """\
[tool.ariadne-codegen]
schema_path = "{schema}"
queries_path = "{operations}"
target_package_path = "{target}"
target_package_name = "api"
client_name = "Operations"
client_file_name = "operations"
base_client_name = "Carrier"
base_client_file_path = "{carrier}"
fragments_module_name = "fragments"
enums_module_name = "enums"
input_types_module_name = "inputs"
include_comments = "none"
convert_to_snake_case = true
plugins = ["ariadne_codegen.contrib.shorter_results.ShorterResultsPlugin", "plugin.Lenient"]
"""


class BuildHook(BuildHookInterface[Any]):
    """Called by hatchling before it gathers files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the package anew, if this is the repository."""
        here = Path(self.root)
        schema = here.parents[1] / "schema" / "schema.graphql"
        if schema.exists():
            generate(here, schema, here.parent / "operations")


def generate(here: Path, schema: Path, operations: Path) -> None:
    """Write `src/earnest_client/api` of `here`."""
    target = here / "src" / "earnest_client"
    shutil.rmtree(target / "api", ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings.toml"
        text = SETTINGS.format(
            schema=schema, operations=operations, target=target, carrier=here / "codegen" / "carrier.py"
        )
        scalars = "".join(f'[tool.ariadne-codegen.scalars.{name}]\ntype = "{kind}"\n' for name, kind in SCALARS.items())
        settings.write_text(text + scalars, encoding="utf-8")
        command = [sys.executable, "-m", "ariadne_codegen", "--config", str(settings), "client"]
        found = [str(here / "codegen"), *sys.path]  # whoever builds in isolation has the generator on our path alone
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, found))}
        subprocess.run(command, cwd=here, check=True, env=environ, stdout=subprocess.DEVNULL)
