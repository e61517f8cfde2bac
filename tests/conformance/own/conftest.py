"""Builds and packs both clients, installs what was packed into fresh folders, and runs programs there."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.conftest import HERE, Deployment
from tests.conformance.own.guide import program_of
from tests.docs.product import ROOT
from tests.patience import PATIENCE_SECONDS

OWN = Path(__file__).parent
BIN = HERE / ".venv" / "bin"
PYTHON_CLIENT = ROOT / "clients" / "python"
TYPESCRIPT_CLIENT = ROOT / "clients" / "typescript"
SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
"""What the examples verify webhooks with."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A folder in which one of the clients is installed as it was packed, with the programs of this folder beside it."""

    folder: Path
    runner: tuple[str | Path, ...]
    """What runs a program."""
    suffix: str
    environ: Mapping[str, str]

    def command(self, program: str) -> list[str | Path]:
        """What runs a program of this folder, from wherever."""
        return [*self.runner, self.folder / f"{program}{self.suffix}"]

    def run(self, program: str, *, within: Path, environ: Mapping[str, str]) -> str:
        """What a program printed, which must succeed."""
        return call(self.command(program), within=within, environ={**environ, **self.environ})


def examples(page: Path, language: str) -> list[str]:
    """The programs of a page."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def call(command: list[str | Path], *, within: Path, environ: Mapping[str, str] | None = None) -> str:
    """What a command printed, which must succeed."""
    alone = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command,
        cwd=within,
        env=alone | dict(environ or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def people(deployment: Deployment, environ: dict[str, str]) -> dict[str, str]:
    """Addresses and keys as programs take them; asked after each restart of the deployment, since the keys stay."""
    names = {"EARNEST_KEY": "client", "EARNEST_FREELANCER": "freelancer", "EARNEST_MEDIATOR": "mediator"}
    told = {
        name: environ[name] for name in ("EARNEST_URL", "EARNEST_ACCOUNT", "EARNEST_OTHER", "EARNEST_ALLOWED_PAGE_PORT")
    }
    return told | {name: deployment.keys[role] for name, role in names.items()}


@pytest.fixture(scope="session")
def python_distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("python-distributions")
    call([BIN / "python", "-m", "build", "--no-isolation", "--outdir", out], within=PYTHON_CLIENT)
    return out


@pytest.fixture(scope="session")
def in_python(python_distributions: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a folder of its own; what it depends on is in the environment of this folder's parent."""
    folder = tmp_path_factory.mktemp("python")
    (wheel,) = python_distributions.glob("*.whl")
    call([BIN / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel], within=folder)
    for program in (OWN / "python").glob("*.py"):
        shutil.copy(program, folder)
    for number, example in enumerate(examples(PYTHON_CLIENT / "README.md", "python")):
        (folder / f"example_{number}.py").write_text(example.replace("whsec_…", SECRET))
    (folder / "guide.py").write_text(program_of("python"))
    return Installed(folder, (BIN / "python",), ".py", {"PYTHONPATH": str(folder)})


@pytest.fixture(scope="session")
def npm_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as npm packs it."""
    out = tmp_path_factory.mktemp("npm-package")
    call(["npm", "run", "--silent", "build"], within=TYPESCRIPT_CLIENT)
    call(["npm", "pack", "--silent", "--pack-destination", out], within=TYPESCRIPT_CLIENT)
    (package,) = out.glob("*.tgz")
    return package


@pytest.fixture(scope="session")
def in_node(npm_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The package in a project of its own, whose programs were compiled by its types."""
    folder = tmp_path_factory.mktemp("node")
    beside = {"graphql-ws": HERE, "graphql": HERE, "ws": HERE}
    beside |= {"@types/node": TYPESCRIPT_CLIENT, "@types/ws": TYPESCRIPT_CLIENT, "undici-types": TYPESCRIPT_CLIENT}
    local = {name: f"file:{where / 'node_modules' / name}" for name, where in beside.items()}
    project = {"type": "module", "dependencies": {"@earnest/client": f"file:{npm_package}"} | local}
    (folder / "package.json").write_text(json.dumps(project))
    call(["npm", "install", "--install-links", "--offline", "--silent", "--no-audit", "--no-fund"], within=folder)
    for program in (OWN / "typescript").iterdir():
        shutil.copy(program, folder)
    for number, example in enumerate(examples(TYPESCRIPT_CLIENT / "README.md", "ts")):
        (folder / f"example_{number}.ts").write_text(example.replace("whsec_…", SECRET))
    (folder / "guide.ts").write_text(program_of("ts"))
    call([TYPESCRIPT_CLIENT / "node_modules" / ".bin" / "tsc", "-p", "tsconfig.json"], within=folder)
    return Installed(folder, ("node",), ".js", {})


@pytest.fixture(scope="session")
def in_deno(in_node: Installed) -> Installed:
    """The same project, run by Deno."""
    return Installed(
        in_node.folder, (BIN / "deno", "run", "--allow-all", "--no-lock", "--node-modules-dir=manual"), ".js", {}
    )
