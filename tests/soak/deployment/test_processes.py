"""Processes of the soak are started and ended many times, and each leaves what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from earnest.engines import Engines
from tests.earnest.running import free_port
from tests.soak.deployment.processes import House


async def test_a_log_keeps_what_those_wrote_who_were_killed_and_who_is_new_is_waited_for(tmp_path: Path) -> None:
    ports = {"door": free_port(), "cable to PostgreSQL": 1, "cable to Redis": 1}
    house = House(tmp_path, cast("Engines", None), {}, has_small_disk=False, ports=ports)
    told = json.dumps({"port": ports["door"], "to": ["127.0.0.1:1"]})
    for times in (1, 2):
        house._fork("door", "proxy", told)
        await house._until_it_says("door")
        assert house.log("door").read_text().split("\n") == ["", "passing on"] * times + [""]
        await house.end("door")
    assert house.written() == {"door": house.log("door").stat().st_size}
