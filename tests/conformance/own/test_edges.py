"""What both clients make of what seldom comes: a crash of the whole machine, documents of one's own, forged headers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conformance.own.conftest import Installed


@pytest.mark.parametrize("client", ["in_python", "in_node", "in_deno"])
def test_a_key_is_on_the_disk_under_its_name_before_it_is_given(
    client: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    installed: Installed = request.getfixturevalue(client)
    assert json.loads(installed.run("flushing", within=tmp_path, environ={})) == {
        "flushed": ["file", "folder"],
        "where folders can't be flushed": "key",
        "where the disk fails": "no key",
    }
