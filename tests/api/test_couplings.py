"""The door for what project tools say by themselves."""

from __future__ import annotations

import pytest

from tests.api.client import door


@pytest.mark.parametrize("name", ["nobodys", "a%00b", "%ed%b3%a9", "A Board", "a" * 51])
async def test_a_name_that_no_coupling_has_or_could_have_is_not_found(database: str, name: str) -> None:
    async with door() as http:
        assert (await http.post(f"/couplings/{name}", content=b"{}")).status_code == 404
