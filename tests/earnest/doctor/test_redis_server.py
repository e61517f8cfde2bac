"""What is said of a Redis that is away, refuses us, takes no writes or is too old."""

from __future__ import annotations

import asyncio
import time

from earnest.doctor import clock_skew, redis_server
from earnest.doctor.findings import Finding, Grade
from tests.earnest.doctor.conftest import Ward
from tests.earnest.running import free_port


async def the_one(url: str) -> Finding:
    (only,) = await redis_server.look(url)
    return only


async def test_a_healthy_one_is_fine(ward: Ward) -> None:
    found = await the_one(ward.engines.redis_url)
    assert found.grade is Grade.FINE, found
    assert found.what.startswith(("Valkey ", "Redis "))


async def test_one_that_is_away() -> None:
    found = await the_one(f"redis://user:hunter2@127.0.0.1:{free_port()}/0")
    assert found.grade is Grade.WRONG
    assert "can't be reached" in found.what
    assert "hunter2" not in found.what


async def test_a_password_that_is_missing(ward: Ward) -> None:
    async with ward.redis() as client:
        await client.config_set("requirepass", "right")
        try:
            found = await the_one(ward.engines.redis_url)
        finally:
            await client.config_set("requirepass", "")
    assert found.grade is Grade.WRONG
    assert "it refuses us" in found.what


async def test_a_user_who_may_not_ring(ward: Ward) -> None:
    async with ward.redis() as client:
        await client.execute_command("ACL", "SETUSER", "quiet", "on", ">pass", "~*", "&*", "+@all", "-publish")
        found = await the_one(ward.engines.redis_url.replace("unix://", "unix://quiet:pass@"))
        await client.execute_command("ACL", "DELUSER", "quiet")
    assert found.grade is Grade.WRONG
    assert "PUBLISH" in found.remedy


async def test_a_replica(ward: Ward) -> None:
    async with ward.redis() as client:
        await client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        try:
            found = await the_one(ward.engines.redis_url)
        finally:
            await client.execute_command("REPLICAOF", "NO", "ONE")
    assert found == Finding(
        "Redis", Grade.WRONG, "it is a replica, and takes no writes", "name the primary in REDIS_URL"
    )


class Played:
    """A server that answers as an old Redis whose clock is wrong would."""

    def __init__(self, *, version: str, behind_seconds: int = 0) -> None:
        self.version = version
        self.behind_seconds = behind_seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = [(await reader.readline(), await reader.readline())[1].strip() for _ in range(int(line[1:]))]
            writer.write(self.answer(words[0].upper()))
            await writer.drain()
        writer.close()

    def answer(self, command: bytes) -> bytes:
        if command == b"INFO":
            said = f"redis_version:{self.version}\r\n"
            return f"${len(said)}\r\n{said}\r\n".encode()
        if command == b"TIME":
            seconds = str(int(time.time()) - self.behind_seconds)
            return f"*2\r\n${len(seconds)}\r\n{seconds}\r\n$1\r\n0\r\n".encode()
        return b":0\r\n" if command == b"PUBLISH" else b"+OK\r\n"


async def test_one_that_is_too_old() -> None:
    async with await asyncio.start_server(Played(version="5.0.14").serve, "127.0.0.1", 0) as server:
        found = await the_one(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    assert (found.grade, found.what) == (Grade.WRONG, "Redis 5.0.14 is too old")
    assert found.remedy == "upgrade it to 6.2 or newer"


async def test_clocks_that_go_together_are_fine(ward: Ward) -> None:
    found = await clock_skew.look(ward.url, ward.engines.redis_url)
    assert [finding.grade for finding in found] == [Grade.FINE, Grade.FINE], found


async def test_a_host_whose_clock_is_wrong_differs_from_both(ward: Ward) -> None:
    ahead = await clock_skew.look(ward.url, ward.engines.redis_url, here=lambda: time.time() + 3600)
    assert [finding.grade for finding in ahead] == [Grade.WRONG, Grade.WRONG]
    assert all("behind this machine's" in finding.what and "NTP" in finding.remedy for finding in ahead)
    behind = await clock_skew.look(ward.url, ward.engines.redis_url, here=lambda: time.time() - 3600)
    assert all("ahead of this machine's" in finding.what for finding in behind)


async def test_a_redis_whose_clock_is_wrong_is_named(ward: Ward) -> None:
    played = Played(version="8.0.0", behind_seconds=650)
    async with await asyncio.start_server(played.serve, "127.0.0.1", 0) as server:
        database, redis = await clock_skew.look(ward.url, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
    assert database.grade is Grade.FINE
    assert redis.grade is Grade.WRONG
    assert redis.what.startswith("Redis' clock is 6")


async def test_what_is_away_has_no_clock() -> None:
    nowhere = free_port()
    assert await clock_skew.look(f"postgres://u:p@127.0.0.1:{nowhere}/d", f"redis://127.0.0.1:{nowhere}/0") == []
