"""Starts the engines and the processes of the Procfile, and ends all of them together.

Whatever happens (Ctrl-C, a signal, a process that ends, a start that fails half-way), the way out is the same one:
processes first, then the engines, then whatever their descendants left. The exit code says what happened: 0 after a
stop that was asked for, the code of the process that ended by itself (128 + n after signal n), 2 for a refused start.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TextIO

from earnest.engines import Engines
from earnest.engines.orphans import adopt_orphans, end_orphans
from earnest.engines.processes import end, launch
from earnest.run import embedded
from earnest.run.output import Output
from earnest.run.ports import check_port
from earnest.run.procfile import Entry, read_procfile
from earnest.run.refusing import CannotStart
from earnest.run.steps import AFTER_PROCESSES, BEFORE_PROCESSES, Deployment, Step
from escrow.settings import Settings, log_format

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 10.0
"""For requests and jobs that are under way; a second signal cuts it short."""
HEALTHY_SECONDS = 180.0
"""A crowded machine takes its time; a process that ends meanwhile is noticed at once."""
POLL_SECONDS = 0.05


class Supervisor:
    """One `earnest up`."""

    def __init__(
        self,
        root: Path,
        *,
        before: Sequence[Step] = BEFORE_PROCESSES,
        after: Sequence[Step] = AFTER_PROCESSES,
        afterwards: Sequence[Step] = (),
        beside: Sequence[Entry] = (),
        out: TextIO = sys.stdout,
    ) -> None:
        self._root = root
        self._beside = beside
        self._before = before
        self._after = after
        self._afterwards = afterwards
        self._stop = asyncio.Event()
        self._output = Output(out, on_closed=self._stop.set, form=log_format())
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> int:
        """Run until told to stop or something ends; gives the exit code. Refuses to start with `CannotStart`."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
                loop.add_signal_handler(number, self._on_signal, number)
        adopt_orphans()
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            work.cancel()
            return await work
        except asyncio.CancelledError:
            return 0
        finally:
            stop.cancel()
            await end_orphans()

    async def _work(self) -> int:
        entries = [*self._beside, *read_procfile(self._root / "Procfile")]
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            environ, deployment, engines = await self._prepare(stack)
            for step in self._before:
                self._say(*await step(deployment))
            self._say(f"starting {', '.join(entry.name for entry in entries)} ...")
            stack.push_async_callback(self._end_processes)
            environ["PORT"] = str(deployment.settings.port)
            for entry in entries:
                await self._start(entry, environ, engines)
            ended = asyncio.create_task(self._first_to_end(engines))
            stack.callback(ended.cancel)
            ready = asyncio.create_task(self._become_ready(deployment, began))
            stack.callback(ready.cancel)
            for step in self._afterwards:
                stack.push_async_callback(_ended, asyncio.create_task(self._take_afterwards(step, deployment, ready)))
            await asyncio.wait({ended, ready}, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await ready  # an error of a step ends everything, as an ended process does
            name, code = await ended
            self._say(f"{name} ended {_how(code)}; stopping everything")
            return code if code > 0 else 128 - code if code < 0 else 1

    async def _prepare(self, stack: AsyncExitStack) -> tuple[dict[str, str], Deployment, Engines | None]:
        """Check all that can be checked, then start the engines if the environment names no servers."""
        if embedded.names_servers(os.environ):
            settings = Settings.from_environment()
            check_port(settings)
            return dict(os.environ), Deployment(settings=settings, directory=None), None
        directory = self._root / embedded.DIRECTORY
        stack.enter_context(embedded.lock(directory))
        await Engines(directory).record.clear_up()  # a killed start's web process would hold the port
        somewhere = embedded.environment(directory, database_url="postgres:///earnest", redis_url="redis://localhost")
        check_port(Settings.from_environment(somewhere))
        self._say("starting PostgreSQL and Redis ...")
        engines = await stack.enter_async_context(embedded.running_engines(directory, tell=self._say))
        environ = embedded.environment(directory, database_url=engines.database_url, redis_url=engines.redis_url)
        return environ, Deployment(settings=Settings.from_environment(environ), directory=directory), engines

    async def _start(self, entry: Entry, environ: dict[str, str], engines: Engines | None) -> None:
        async with self._output.pipe(entry.name) as output:
            process = await launch(
                *entry.command,
                death_signal=signal.SIGTERM,
                output=output,
                environ=environ | self._additions(environ),
                directory=self._root,
            )
        self._processes[entry.name] = process
        if engines is not None:
            engines.record.add(entry.name, process.pid)

    def _additions(self, environ: dict[str, str]) -> dict[str, str]:
        """Variables of a process: the programs of this `.venv` first, no line kept back, colours as far as they are seen."""
        coloured = {"FORCE_COLOR": "1"} if self._output.is_coloured else {}
        return coloured | {"PATH": _path_with_venv(environ), "PYTHONUNBUFFERED": "1"}

    async def _become_ready(self, deployment: Deployment, began: float) -> None:
        """Wait for the web process to answer, take the last steps, and say where everything is."""
        url = deployment.url
        if "web" in self._processes:
            await wait_until_healthy(deployment.host, deployment.settings.port)
        lines = [line for step in self._after for line in await step(deployment)]
        self._say(f"ready after {time.monotonic() - began:.1f} s", f"GraphQL  {url}/graphql")
        self._say(f"docs     {url}/docs", f"schema   {url}/schema.graphql", f"health   {url}/readyz", *lines)
        kept = f"; the data stays in {deployment.directory.name}/" if deployment.directory else ""
        self._say(f"Ctrl-C stops everything{kept}")

    async def _take_afterwards(self, step: Step, deployment: Deployment, ready: asyncio.Task[None]) -> None:
        """A step that nothing waits for: it begins when everything is there, and its failure ends nothing."""
        await asyncio.wait({ready})
        try:
            lines = await step(deployment)
        except Exception as error:  # noqa: BLE001 - whatever it was, the deployment runs without it
            lines = [f"{step.__name__} failed: {error}"]
        self._say(*lines)

    async def _first_to_end(self, engines: Engines | None) -> tuple[str, int]:
        """The first process or engine that ends by itself, and its code."""
        running = {name: process.wait() for name, process in self._processes.items()}
        if engines is not None:
            running |= {name: process.wait() for name, process in engines.processes().items()}
        waits = {asyncio.ensure_future(wait): name for name, wait in running.items()}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        first = done.pop()
        return waits[first], first.result()

    async def _end_processes(self) -> None:
        """End all processes with their groups, at once, then show the last of their output."""
        running = [name for name, process in self._processes.items() if process.returncode is None]
        if running:
            self._say(f"stopping {', '.join(running)} ...")
        in_time = await asyncio.gather(
            *(end(process, first=signal.SIGTERM, grace_seconds=GRACE_SECONDS) for process in self._processes.values())
        )
        for name, good in zip(self._processes, in_time, strict=True):
            if not good:
                self._say(f"{name} had to be killed: it didn't stop within its grace")
        await self._output.drain()

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            for process in self._processes.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        self._say(f"{number.name} received")
        self._stop.set()

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._output.line("earnest", line)


async def wait_until_healthy(host: str, port: int) -> None:
    """Wait until `/healthz` answers 200; refuses after `HEALTHY_SECONDS`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(HEALTHY_SECONDS):
            while not await _is_healthy(host, port):  # noqa: ASYNC110 - another process tells us nothing
                await asyncio.sleep(POLL_SECONDS)
            return
    raise CannotStart(f"web didn't answer at port {port} of {host} within {HEALTHY_SECONDS:.0f} seconds")


async def _is_healthy(host: str, port: int) -> bool:
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return (await reader.readline()).split()[1:2] == [b"200"]
        finally:
            writer.close()
    return False


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has let go of what it holds."""
    task.cancel()
    await asyncio.wait({task})


def _path_with_venv(environ: dict[str, str]) -> str:
    """The PATH with this interpreter's folder first, so that a Procfile's programs are those of the same `.venv`."""
    return os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)])


def _how(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
