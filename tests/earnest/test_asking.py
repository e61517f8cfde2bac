"""`earnest api` and `earnest contracts`: questions from a shell, through a real web process."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from earnest import asking
from earnest.cli import make_parser
from earnest.commands import api, contracts
from earnest.demo.people import KEYS_FILE, make_people
from earnest.demo.website import Website
from earnest.run.refusing import CannotStart
from tests.earnest.demo.test_demo import operator_key, web
from tests.earnest.running import clean_environment
from tests.workers.process import worker

ROOT = Path(__file__).parents[2]


class Shell:
    """The command line beside the demo's keys; each call is a command in its own thread, as it has an event loop."""

    def __init__(self, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._keys = keys
        self._capsys = capsys

    async def __call__(self, *line: str) -> tuple[int, str, str]:
        """The exit code, what was printed, and what was said on the error output."""
        args = make_parser().parse_args([*line, "--keys", str(self._keys)])
        code = await asyncio.to_thread(args.run, args)
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err


@pytest.fixture
async def shell(
    database: str, redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Shell]:
    """Beside a deployment with the contract that `earnest up` begins with."""
    async with (
        web(database, redis_url, tmp_path / "web.log") as url,
        worker(database, redis_url, tmp_path / "worker.log"),
    ):
        people = await make_people(url, await operator_key())
        keys = tmp_path / KEYS_FILE
        keys.write_text(json.dumps(asdict(people)))
        apis = people.apis()
        story = Website(client=apis["client"], freelancer=apis["freelancer"], say=lambda _: None, show=lambda _: None)
        await story.first_half(people.client.account, people.freelancer.account)
        yield Shell(keys, capsys)


async def test_answers_are_printed_whole_and_the_code_says_whether_they_were_refusals(shell: Shell) -> None:
    titles = "query A($n: Int, $t: String) { contracts(first: $n, filter: {title: $t}) { nodes { title } } }"
    code, out, _ = await shell("api", titles, "-v", "n=5", "-v", "t=website")
    assert code == 0
    assert json.loads(out)["data"] == {"contracts": {"nodes": [{"title": "A new website"}]}}
    code, out, _ = await shell("api", "{ nothing }")
    assert (code, json.loads(out)["errors"][0]["extensions"]["code"]) == (1, "BAD_REQUEST")
    refused = 'mutation { postUpdate(input: {contractId: "ctr_0", message: "Hello"}) { userErrors { code } } }'
    code, out, _ = await shell("api", refused)
    assert (code, json.loads(out)["data"]["postUpdate"]["userErrors"]) == (1, [{"code": "NOT_FOUND"}])
    code, out, err = await shell("api", "{ viewer { accountId } }", "--url", "http://127.0.0.1:9")
    assert (code, out) == (1, "")
    assert err.startswith("earnest: no answer from http://127.0.0.1:9/graphql: ")


async def test_contracts_are_listed_and_one_is_shown_with_what_may_happen(shell: Shell) -> None:
    code, out, _ = await shell("contracts", "list", "--state", "ACTIVE", "--search", "website")
    (line,) = out.splitlines()
    assert code == 0
    assert line.split()[1:3] == ["ACTIVE", "1/5"]
    code, out, _ = await shell("contracts", "show", line.split()[0])
    assert code == 0
    assert "Harbour Bakery pays Ines Duarte in USD" in out
    assert "allowed now: APPROVE," in out
    assert out.splitlines()[-1].startswith("Next deadline: milestone.released at ")
    code, out, _ = await shell("contracts", "list", "--as", "mediator")
    assert (code, out) == (0, "There is no such contract.\n")
    code, _, err = await shell("contracts", "show", "ctr_00000000000000000000000000")
    assert code == 1
    assert "NOT_FOUND" in err


def test_an_operation_comes_from_a_file_or_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "who.graphql"
    file.write_text("{ viewer { kind } }")
    assert api.document(f"@{file}") == "{ viewer { kind } }"
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO("{ viewer { role } } # ü".encode()), encoding="ascii")
    )
    assert api.document("-") == "{ viewer { role } } # ü"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{ viewer { role } } # \xfc"), encoding="ascii"))
    with pytest.raises(CannotStart, match="can't be read from the standard input: 'utf-8'"):
        api.document("-")
    with pytest.raises(CannotStart, match=r"can't be read from .*missing"):
        api.document(f"@{tmp_path / 'missing'}")


@pytest.mark.parametrize("text", ["novalue", "=1", "2x=1", "a b=1"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no variable"):
        api.variable(text)


@pytest.mark.parametrize("count", [0, -1, 101])
async def test_a_page_has_one_to_a_hundred_contracts(count: int) -> None:
    with pytest.raises(CannotStart, match="from 1 to 100"):
        await contracts.listed(None, argparse.Namespace(first=count, state=None, search=None))


def test_without_keys_it_is_said_how_to_get_some(tmp_path: Path) -> None:
    args = argparse.Namespace(url=None, key=None, keys=tmp_path / "none.json", role="client")
    with pytest.raises(CannotStart, match="start Earnest here first"):
        asking.door(args)


def test_the_command_is_found_and_ends_with_the_codes_of_a_shell() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "earnest", "trigger", "milestone.partly_released"],
        cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "milestone.released says so now" in ended.stderr
