"""Servers of these tests' own, set as a deployment's are, that may be broken: whoever breaks one puts it right again."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from earnest.engines import Engines
from escrow.migrate import migrate
from tests.patience import PATIENCE_SECONDS
from tests.workers.process import until

ROLE = "operated"


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is looked at is waited for: on a busy machine it is slow, and says something in the end."""
    for one in ("addresses", "database_server", "redis_server", "standby_server"):
        monkeypatch.setattr(f"earnest.doctor.{one}.ANSWER_SECONDS", PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Ward:
    """A PostgreSQL and a Redis to be broken."""

    engines: Engines
    url: str
    """A migrated database, as a role that owns it and nothing else."""

    def url_of(self, database: str, *, role: str = "postgres") -> str:
        """How another database, or another role, is reached."""
        return self.engines.database_url.replace("postgres://postgres:@/earnest?", f"postgres://{role}:@/{database}?")

    async def order(self, *statements: str, database: str = "postgres") -> None:
        """Do this as the superuser."""
        connection = await asyncpg.connect(self.url_of(database))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self, options: str = "") -> AsyncIterator[str]:
        """An empty database made with these options; gives its name."""
        name = f"broken_{secrets.token_hex(4)}"
        await self.order(f"CREATE DATABASE {name} {options}")
        try:
            yield name
        finally:
            await self.order(f"DROP DATABASE {name} WITH (FORCE)")

    @asynccontextmanager
    async def set_to(self, name: str, value: str) -> AsyncIterator[None]:
        """The server set so; afterwards it is as it was also to whoever comes next."""
        before = await self._shown(name)
        await self.order(f"ALTER SYSTEM SET {name} = {value}", "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            await self.order(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")

            async def is_as_before() -> bool:  # the server reads its settings in its own time
                return await self._shown(name) == before

            await until(is_as_before)

    async def _shown(self, name: str) -> str:
        connection = await asyncpg.connect(self.url_of("postgres"))
        try:
            return str(await connection.fetchval(f"SHOW {name}"))
        finally:
            await connection.close()

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Any]:
        """Its Redis, by a connection that stays allowed."""
        client = Redis.from_url(self.engines.redis_url, single_connection_client=True)
        await client.ping()
        try:
            yield client
        finally:
            await client.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ward(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ward]:
    """The servers, with one healthy database."""
    async with Engines(tmp_path_factory.mktemp("ward")) as engines:
        ward = Ward(engines, engines.database_url.replace("postgres://postgres:", f"postgres://{ROLE}:"))
        await ward.order(f"CREATE ROLE {ROLE} LOGIN", f"ALTER DATABASE earnest OWNER TO {ROLE}")
        await migrate(ward.url)
        yield ward
