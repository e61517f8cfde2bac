"""What is said of what `EARNEST_READ_URL` leads to; one that follows is in tests/earnest/doctor/test_database_server.py."""

from __future__ import annotations

from earnest.doctor import standby_server
from earnest.doctor.findings import Grade
from tests.earnest.doctor.conftest import Ward
from tests.earnest.doctor.test_addresses import one, settings
from tests.earnest.running import free_port


async def test_a_deployment_without_one_has_nothing_to_look_at(ward: Ward) -> None:
    assert await standby_server.look(settings(DATABASE_URL=ward.url)) == []


async def test_one_that_is_away(ward: Ward) -> None:
    away = f"postgres://user:hunter2@127.0.0.1:{free_port()}/earnest"
    found = one(
        await standby_server.look(settings(DATABASE_URL=ward.url, EARNEST_READ_URL=away)),
        Grade.WRONG,
    )
    assert "can't be asked" in found.what
    assert "hunter2" not in found.what + found.remedy


async def test_the_primary_itself_is_none(ward: Ward) -> None:
    found = one(
        await standby_server.look(settings(DATABASE_URL=ward.url, EARNEST_READ_URL=ward.url)),
        Grade.WRONG,
    )
    assert found.what == "EARNEST_READ_URL leads to none: what answers there is no standby"
    assert "the primary answers everything" in found.remedy
