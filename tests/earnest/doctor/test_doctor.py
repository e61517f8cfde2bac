"""`earnest doctor` as an operator starts it, and what it finds in the database."""

from __future__ import annotations

import asyncio
import base64
import shlex
import sys
from pathlib import Path

from earnest.doctor import machine, tables_and_secrets
from earnest.doctor.findings import Finding, Grade
from escrow import log
from escrow.database import execute
from escrow.settings import Settings
from tests.earnest.doctor.conftest import ROLE, Ward
from tests.earnest.running import clean_environment, free_port
from tests.escrow.test_settings import MINIMAL
from tests.factories import SECRET_KEY, Deployment, make_endpoint


def variables(ward: Ward) -> dict[str, str]:
    """What an operator would set for the ward's servers."""
    return MINIMAL | {"DATABASE_URL": ward.url, "REDIS_URL": ward.engines.redis_url, "PORT": str(free_port())}


async def doctor(folder: Path, arguments: str = "", *, limit: str = "", **environ: str) -> tuple[int, str]:
    """Its code and what it prints, under the shell's limits."""
    command = f"{limit} exec {shlex.quote(sys.executable)} -m earnest doctor {arguments}"
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", command, cwd=folder, env=clean_environment() | environ, stdout=-1, stderr=-2
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_healthy_deployment_is_told_so_and_the_code_is_0(ward: Ward, tmp_path: Path) -> None:
    code, said = await doctor(tmp_path, "--strict --free 0", **variables(ward))
    assert code == 0, said
    assert "0 wrong, 0 odd, 16 ok" in said
    for subject in (
        "PostgreSQL",
        "rights",
        "tables",
        "secrets",
        "workers",
        "Redis",
        "clocks",
        "port",
        "provider",
        "webhooks",
        "disk",
    ):
        assert f"ok    {subject}" in said, said


async def test_whatever_is_broken_is_told_with_what_to_do_and_the_code_is_1(ward: Ward, tmp_path: Path) -> None:
    broken = {
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "EARNEST_PUBLIC_ULR": "https://x",
        "EARNEST_RATE": "fast",
    }
    code, said = await doctor(tmp_path, "--free 900000000", limit="ulimit -n 300;", **variables(ward) | broken)
    assert code == 1, said
    for found in (
        "EARNEST_RATE is 'fast'",
        "did you mean EARNEST_PUBLIC_URL?",
        "a process may open 300",
        "PostgreSQL stops when",
        "Redis",
    ):
        assert found in said, said
    assert "3 wrong, 2 odd" in said
    assert "Traceback" not in said


async def test_what_is_odd_fails_when_one_is_strict(ward: Ward, tmp_path: Path) -> None:
    environ = variables(ward) | {"EARNEST_PUBLIC_ULR": "https://x"}
    assert (await doctor(tmp_path, "--free 0", **environ))[0] == 0
    assert (await doctor(tmp_path, "--free 0 --strict", **environ))[0] == 1


async def test_a_folder_without_a_deployment_is_told_how_to_start(tmp_path: Path) -> None:
    code, said = await doctor(tmp_path)
    assert code == 1
    assert "start with `make run`" in said
    code, said = await doctor(tmp_path, DATABASE_URL="postgres://h/d")
    assert code == 1
    assert "DATABASE_URL is set but REDIS_URL is not" in said


async def test_tables_that_were_never_made(ward: Ward, tmp_path: Path) -> None:
    async with ward.database(f"OWNER {ROLE}") as name:
        code, said = await doctor(
            tmp_path, "--free 0", **variables(ward) | {"DATABASE_URL": ward.url_of(name, role=ROLE)}
        )
    assert code == 1
    assert "steps are missing" in said
    assert "earnest migrate" in said


async def test_an_upgrade_that_was_not_brought_to_its_end_and_tables_of_a_later_release(database: str) -> None:
    async def told() -> tuple[Grade, str, str]:
        tables, *others = await inside(database, SECRET_KEY)
        assert len(others) == 2, "the rest is looked at all the same"
        return tables.grade, tables.what, tables.remedy

    last = "(app, name) = ('escrow', 'm0033_former_3_validated')"
    await execute(f"UPDATE tortoise_migrations SET name = 'm9999_later' WHERE {last}")
    grade, what, remedy = await told()
    assert (grade, what.partition(":")[0]) == (Grade.ODD, "the end of the upgrade is missing")
    assert "earnest migrate --after" in remedy
    await execute(
        "INSERT INTO tortoise_migrations (app, name, applied_at) VALUES ('escrow', 'm0033_former_3_validated', now())"
    )
    grade, what, remedy = await told()
    assert (grade, "the last of them escrow.m9999_later" in what) == (Grade.ODD, True), what
    await execute("DELETE FROM tortoise_migrations WHERE name = 'm9999_later'")
    assert (await told())[0] is Grade.FINE


def test_pythons_that_were_not_tried() -> None:
    assert machine.python((3, 10, 9))[0].grade is Grade.WRONG
    assert machine.python((3, 11, 0))[0].grade is Grade.FINE
    assert machine.python((3, 14, 9))[0].grade is Grade.FINE
    assert machine.python((3, 19, 0))[0].grade is Grade.ODD


async def inside(url: str, *keys: bytes) -> list[Finding]:
    """What is found in the tests' database, to which they are connected already."""
    settings = Settings.from_environment(
        MINIMAL | {"DATABASE_URL": url, "EARNEST_SECRET_KEYS": ",".join(base64.b64encode(key).decode() for key in keys)}
    )
    return await tables_and_secrets.found_inside(settings)


async def test_secrets_that_no_key_opens_and_those_under_older_keys(database: str) -> None:
    await make_endpoint((await Deployment.make()).client)
    new = bytes(range(32, 64))
    _, lost, *_ = await inside(database, new)
    assert (lost.grade, lost.what) == (Grade.WRONG, "1 secrets are opened by no key")
    _, older, *_ = await inside(database, new, SECRET_KEY)
    assert (older.grade, older.what) == (Grade.ODD, "1 secrets are under older keys")
    assert "earnest secrets --renew" in older.remedy


async def test_work_that_nobody_does(database: str) -> None:
    await (await (await Deployment.make()).fund("10.00")).submit()
    while await log.sequence():  # accounts of the tests are as old as the process that laid them
        pass
    assert (await inside(database, SECRET_KEY))[-1].grade is Grade.FINE
    await execute("UPDATE deadlines SET due_at = now() - interval '1 hour'")
    found = (await inside(database, SECRET_KEY))[-1]
    assert found.grade is Grade.WRONG
    assert "a deadline has been due for 3" in found.what
    assert "earnest worker" in found.remedy
