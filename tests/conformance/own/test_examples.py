"""The programs of both READMEs do what is said there."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.conformance.own.conftest import SECRET, Installed, call
from webhooks.request.signing import HmacKey, sign

AN_OPERATION, EVENTS, A_MIRROR, WEBHOOKS, PROOFS = (f"example_{number}" for number in range(5))

RECEIVE = {
    ".py": f"import os, json, {WEBHOOKS} as e; print(e.receive(os.environ['BODY'].encode(), json.loads(os.environ['HEADERS'])))",
    ".js": f"""import {{ receive }} from './{WEBHOOKS}.js';
        const {{ BODY, HEADERS }} = process.env;
        console.log(await receive(new TextEncoder().encode(BODY), JSON.parse(HEADERS)));""",
}


@pytest.fixture(params=["in_python", "in_node"])
def installed(request: pytest.FixtureRequest) -> Installed:
    """Each of the clients."""
    one: Installed = request.getfixturevalue(request.param)
    return one


def test_its_example_of_an_operation_makes_a_contract_whatever_is_repeated(
    installed: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    assert "ctr_" in installed.run(AN_OPERATION, within=tmp_path, environ=people)
    assert json.loads((tmp_path / "keys.json").read_text()) == {}


def test_its_example_of_events_goes_on_where_it_was(
    installed: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    said = [_first_lines(installed, people, tmp_path, count=3) for _ in range(2)]
    assert [line.split()[0] for line in said[0]][:2] == ["1", "2"]
    assert not set(said[0][:2]) & set(said[1])


def _first_lines(installed: Installed, people: dict[str, str], folder: Path, *, count: int) -> list[str]:
    """What it says first; then it is killed."""
    environ = {**os.environ, **people, **installed.environ}
    with subprocess.Popen(
        installed.command(EVENTS), cwd=folder, env=environ, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.kill()
    return lines


def test_its_example_of_a_mirror_has_every_contract(
    installed: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    assert "ACTIVE" in installed.run(A_MIRROR, within=tmp_path, environ=people)
    assert "ACTIVE" in installed.run(A_MIRROR, within=tmp_path, environ=people)


def test_its_example_of_proofs_finds_the_log_sound(
    installed: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    assert installed.run(PROOFS, within=tmp_path, environ=people).startswith("sound unproven: ")


def test_its_example_of_webhooks_takes_what_is_ours_and_nothing_else(installed: Installed) -> None:
    body = '{"type": "milestone.released", "timestamp": "now", "data": {"cursor": null, "event": {}}}'
    key = HmacKey(base64.b64decode(SECRET.removeprefix("whsec_")))
    headers = sign([key], message_id="evt_1", timestamp=int(time.time()), body=body.encode())
    program = installed.folder / f"receive{installed.suffix}"
    program.write_text(RECEIVE[installed.suffix])

    def answer(said: str) -> str:
        environ = {"BODY": said, "HEADERS": json.dumps(headers), **installed.environ}
        return call([*installed.runner, program], within=installed.folder, environ=environ).splitlines()[-1]

    assert answer(body) == "204"
    assert answer(body + " ") == "401"
