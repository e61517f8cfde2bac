"""Both clients do the whole job, in Python, Node and Deno: proposal, money, work, arguments, payout, webhooks, proofs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conformance.own.conftest import Installed


def test_the_whole_job_is_done_by_each_client(
    in_python: Installed, in_node: Installed, in_deno: Installed, people: dict[str, str], tmp_path: Path
) -> None:
    def done(number: int, one: Installed) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        return one.run("journey", within=folder, environ=people)

    with ThreadPoolExecutor() as side_by_side:
        said = list(side_by_side.map(done, range(3), (in_python, in_node, in_deno)))
    for one in said:
        assert one.splitlines()[-1] == "the whole job"
    assert said[0] == said[1] == said[2]
