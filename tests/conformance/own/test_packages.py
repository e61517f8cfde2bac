"""What is packed: everything that is needed and nothing else, typed to the letter, generated code among it."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

from tests.conformance.own.conftest import BIN, PYTHON_CLIENT, TYPESCRIPT_CLIENT, Installed, call


def test_the_source_distribution_builds_the_wheel_without_the_repository(python_distributions: Path) -> None:
    (wheel,) = python_distributions.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"earnest_client/py.typed", "earnest_client/client.py", "earnest_client/api/operations.py"} <= names
    assert all(name.startswith(("earnest_client/", "earnest_client-")) for name in names)
    (source,) = python_distributions.glob("*.tar.gz")
    with tarfile.open(source) as packed:
        assert any(name.endswith("src/earnest_client/api/operations.py") for name in packed.getnames())


def test_the_wheel_is_built_where_the_generator_is_on_the_path_of_the_build_alone(tmp_path: Path) -> None:
    """As `pip install ./clients/python` does it, whose isolated environment no process begun by it finds by itself."""
    found = call([BIN / "python", "-c", "import ariadne_codegen as it; print(it.__path__[0])"], within=tmp_path)
    lonely = f"import sys; sys.path.insert(0, {str(Path(found.strip()).parent)!r}); import runpy; "
    lonely += f"sys.argv = ['hatchling', 'build', '-t', 'wheel', '-d', {str(tmp_path)!r}]; "
    lonely += "runpy.run_module('hatchling', run_name='__main__')"
    call([sys.executable, "-c", lonely], within=PYTHON_CLIENT)
    assert len(list(tmp_path.glob("*.whl"))) == 1


def test_the_npm_package_has_types_and_depends_on_graphql_ws_alone(npm_package: Path) -> None:
    assert list(json.loads((TYPESCRIPT_CLIENT / "package.json").read_text())["dependencies"]) == ["graphql-ws"]
    with tarfile.open(npm_package) as packed:
        names = set(packed.getnames())
        assert {
            "package/dist/index.js",
            "package/dist/index.d.ts",
            "package/dist/files.js",
            "package/README.md",
        } <= names
        assert not any("node_modules" in name or name.startswith("package/src") for name in names)
        imported = set()
        for name in names:
            if name.endswith((".js", ".d.ts")):
                file = packed.extractfile(name)
                assert file is not None
                imported |= set(re.findall(r"from ['\"]([^.'\"][^'\"]*)['\"]", file.read().decode()))
    assert imported == {"graphql-ws/client", "node:fs/promises", "node:path"}


def test_the_python_client_its_build_and_what_uses_it_pass_mypy_strictly(in_python: Installed) -> None:
    sources = [in_python.folder / "earnest_client", *in_python.folder.glob("*.py")]
    build = [PYTHON_CLIENT / "hatch_build.py", PYTHON_CLIENT / "codegen" / "plugin.py"]
    command: list[str | Path] = [BIN / "mypy", "--strict", "--cache-dir", in_python.folder / ".mypy_cache"]
    call([*command, *sources, *build], within=in_python.folder)


def test_what_the_python_client_needs_is_what_it_names(in_python: Installed) -> None:
    project = tomllib.loads((PYTHON_CLIENT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[><=\[]", one)[0] for one in project["dependencies"]}
    imported: set[str] = set()
    for path in (in_python.folder / "earnest_client").rglob("*.py"):
        imported |= set(re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    libraries = {
        name
        for name in imported
        if name in {"httpx", "pydantic", "websockets", "graphql", "ariadne_codegen", "cryptography"}
    }
    assert libraries == named == {"httpx", "pydantic", "websockets"}
