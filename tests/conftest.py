"""What all tests share. Pure tests use none of it and start nothing.

| fixture | gives | costs |
|---|---|---|
| `database` | the URL of a clean, migrated database; Tortoise is initialised on it | a few ms |
| `untouched_database` | the same, without even the pages that other tests left in it, for tests of plans | 20 ms |
| `database_clone` | the URL of a new migrated database of the test's own, for other processes | 0.1 s |
| `redis_url` | the URL of an empty Redis | 1 ms |
| `server` | the engines themselves | once a session |

Random histories are short by default, and the same each time, so that no change fails for what chance finds;
`HYPOTHESIS_PROFILE=deep make test` plays many more, longer and new ones.
"""

import gc
import logging
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Generator, Iterator
from functools import cache
from typing import Any

import pytest
import pytest_asyncio
from httpx._transports import default as httpx_transports
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis
from tortoise.context import TortoiseContext

from earnest.engines import Engines
from earnest.run import garbage
from escrow import process_log, vault
from escrow.database import configuration
from escrow.store import whereabouts
from tests.engines import Cleaner, TestServer
from tests.factories import SECRET_KEY
from tests.scheduling import LongFirst, is_long, share, shuffled
from webhooks.request import connector

# Hundreds of processes are started that import what this one did: they read its bytecode, even where a machine's image forbids
# to write any, and none of them compiles five hundred files again.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Each client of httpx, and each sender, reads the certificates of all authorities, 20 ms of a core; hundreds are made.
httpx_transports.create_ssl_context = cache(httpx_transports.create_ssl_context)  # type: ignore[attr-defined]
connector.tls = cache(connector.tls)

# No deadline for one example: a busy machine is no fault of the code.
_PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("quick", _PATIENT, max_examples=100, derandomize=True)
settings.register_profile("deep", _PATIENT, max_examples=5_000, stateful_step_count=100)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """The order of the tests."""
    parser.addoption(
        "--shuffle", type=int, metavar="SEED", help="take files and tests in an order that the number gives"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Thousands of tests, and all that they import, stay until the end: the garbage collector needn't go through them again.

    What comes later it looks at as rarely as in a web process, or it takes a tenth of what pure tests cost.
    """
    gc.disable()
    try:
        share(session)
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(garbage.YOUNG_OBJECTS, *gc.get_threshold()[1:])
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests come first, so that what is left at the end is quick."""
    if (seed := config.getoption("shuffle")) is not None:
        items[:] = shuffled(items, seed)
    items.sort(key=lambda item: not is_long(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LongFirst:
    """How several processes share the tests, whatever `--dist` says."""
    config.option.loadscopereorder = (
        False  # it would put the files with the most tests first, and the longest tests last
    )
    return LongFirst(config, log)


@pytest.fixture(autouse=True)
def secret_keys() -> None:
    """Every test begins with the same keys, as every process of a deployment does."""
    vault.use([SECRET_KEY])


@pytest.fixture(autouse=True)
def unknown_whereabouts() -> None:
    """Every test begins without knowing which milestone is of which contract, as a process does."""
    whereabouts.forget()


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """No test leaves the log otherwise than it was for those that come after it, as a command does that runs in their process."""
    yield
    assert {one: logging.getLogger(one).level for one in process_log.OURS} == dict.fromkeys(
        process_log.OURS, logging.NOTSET
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    """An embedded PostgreSQL and Redis for the whole session, gone with it."""
    directory = tmp_path_factory.mktemp("engines")
    async with Engines(directory, postgres={"fsync": "off"}) as engines:
        yield engines
        engines.processes()["PostgreSQL"].send_signal(signal.SIGQUIT)  # there is nothing that it should write down yet
    shutil.rmtree(directory, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(engines: Engines) -> TestServer:
    """The session's engines with the migrated template on them."""
    server = TestServer(engines)
    await server.make_template()
    return server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_database(server: TestServer) -> AsyncIterator[tuple[str, Cleaner]]:
    """The one database that `database` cleans, with Tortoise on it."""
    url = await server.clone()
    async with TortoiseContext() as context:
        await context.init(config=configuration(url), _enable_global_fallback=True)
        cleaner = await Cleaner.connect(url)
        yield url, cleaner
        await cleaner.connection.close()


@pytest_asyncio.fixture(loop_scope="session")
async def database(shared_database: tuple[str, Cleaner]) -> str:
    """A database as the migrations left it, Tortoise initialised on it; gives its URL."""
    url, cleaner = shared_database
    await cleaner.clean()
    return url


@pytest_asyncio.fixture(loop_scope="session")
async def untouched_database(shared_database: tuple[str, Cleaner]) -> str:
    """The same without empty pages, so that what is planned and read depends on the test alone."""
    url, cleaner = shared_database
    await cleaner.clean(to_the_last_page=True)
    return url


@pytest_asyncio.fixture(loop_scope="session")
async def database_clone(server: TestServer) -> AsyncIterator[str]:
    """A migrated database of the test's own, without Tortoise; gives its URL."""
    url = await server.clone()
    yield url
    await server.drop(url)


@pytest_asyncio.fixture(loop_scope="session")
async def redis_url(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> str:
    """The session's Redis, emptied. This process waits for its answers: on a busy machine it is slow, and not away."""
    for waits in ("escrow.bell.RING_TIMEOUT_SECONDS", "api.rates.shared_buckets.ANSWER_SECONDS"):
        monkeypatch.setattr(waits, 60.0)
    redis = Redis.from_url(engines.redis_url)
    await redis.flushall()
    await redis.aclose()
    return engines.redis_url
