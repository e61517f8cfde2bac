"""Serves the web application by uvicorn with our limits, on a socket that notices clients who have vanished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.lifespan.on import LifespanOn

from api.live.messages import MESSAGE_BYTES_MAX
from api.live.wire import Wire
from earnest.run import telemetry
from earnest.run.garbage import Garbage
from earnest.run.guard import Guard, GuardedConnection, Limits, guarded
from earnest.run.telemetry import Gather

GRACE_SECONDS: Final = 8
"""For requests under way at a stop; less than the supervisor's own grace."""

LINGER_SECONDS: Final = 1.0
"""How long a connection that rests stays open at a stop: a request may be on its way there that its client believes accepted."""

LINGER_LOOK_SECONDS: Final = 0.02

GONE_SECONDS: Final = 30
"""How long bytes may lie unconfirmed, or unread by a peer without room, until the kernel ends the connection."""

PROBE_SECONDS: Final = 10
"""Between two of the kernel's questions to a peer that is silent; three without an answer end the connection."""

UNSENT_BYTES_MAX: Final = 128 * 1024
"""What the kernel takes of an answer beyond what is on its way. It would keep megabytes for each peer that doesn't read, and
such a peer would look like one that does."""


_SILENT: Final = logging.getLogger("earnest.silent")
_SILENT.disabled = True


class Server(uvicorn.Server):
    """uvicorn's server, which tells open streams to connect elsewhere before it stops."""

    def __init__(
        self,
        app: Starlette,
        *,
        host: str,
        port: int,
        lifespan: bool = True,
        limits: Limits | None = None,
        believed_proxies: str = "127.0.0.1,::1",
    ) -> None:
        self.guard = Guard(limits or Limits())
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                loop="uvloop",
                http=guarded(self.guard),  # httptools' protocol, with our deadlines and limits
                ws=Wire,
                ws_max_size=MESSAGE_BYTES_MAX,
                # Pings are ours (messages of the protocol, which browsers see too). The windows of a compression would take each
                # connection about as much memory as everything else.
                ws_ping_interval=None,
                ws_per_message_deflate=False,
                lifespan="on" if lifespan else "off",
                log_config=None,  # its loggers go where ours go
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
                forwarded_allow_ips=believed_proxies,
            )
        )
        self._app = app
        self._lifespan = app.router.lifespan_context
        app.router.lifespan_context = self._begun
        self.kept_from_starting: Exception | None = None
        """What the application met at its start; it is for whoever has started the server to tell, in a line or whole."""
        self.garbage: Garbage | None = None
        """What considers now and then to look for garbage, in a process that does nothing else."""
        self.gather: Gather | None = None
        """What finds the figures of such a process, for whoever they are exported to."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal."""
        if self.garbage is None or self.gather is None:
            await super().serve(sockets)
            return
        async with self.garbage.considering(), telemetry.exported("web", self.gather):
            await super().serve(sockets)

    def bind(self) -> socket.socket:
        """The socket to serve on; those that it accepts inherit what is set here."""
        _many_connections()
        bound = self.config.bind_socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", GONE_SECONDS),
            ("TCP_KEEPINTVL", PROBE_SECONDS),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 1_000 * GONE_SECONDS),
            ("TCP_NOTSENT_LOWAT", UNSENT_BYTES_MAX),
        ):
            option = getattr(socket, name, None)  # what a platform doesn't have, it goes without
            if option is not None:
                with contextlib.suppress(OSError):
                    bound.setsockopt(socket.IPPROTO_TCP, option, value)
        return bound

    @contextlib.asynccontextmanager
    async def _begun(self, app: Any) -> AsyncIterator[Any]:
        """The application's own beginning and end."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                state = await stack.enter_async_context(self._lifespan(app))
            except Exception as error:
                self.kept_from_starting = error
                raise
            yield state

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve. The library would write a traceback of what keeps the application from starting, whatever it is."""
        if not isinstance(self.lifespan, LifespanOn):
            await super().startup(sockets)
            return
        logger, self.lifespan.logger = self.lifespan.logger, _SILENT
        try:
            await super().startup(sockets)
        finally:
            self.lifespan.logger = logger

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, tell open streams to go, and let requests under way finish: what was accepted is answered."""
        # First, or whoever is told to go comes back at once.
        self.guard.is_stopping = True
        for connection in self._connections():
            connection.say_goodbye()
        await self._stop_listening(sockets or [])
        until = time.monotonic() + LINGER_SECONDS
        await self._app.state.door.connections.end_all()
        while self._connections() and time.monotonic() < until:  # noqa: ASYNC110 - no connection rings when it ends
            await asyncio.sleep(LINGER_LOOK_SECONDS)
        await super().shutdown(sockets)

    def _connections(self) -> list[GuardedConnection]:
        return [one for one in self.server_state.connections if isinstance(one, GuardedConnection)]

    async def _stop_listening(self, sockets: list[socket.socket]) -> None:
        """Close the door behind those who are through it already.

        The kernel shakes hands before we are told, and whoever waits there when a listening socket is closed is cut off after
        it was let in. So those are taken over just before.
        """
        waiting: list[socket.socket] = []
        doors = [socket.socket(fileno=os.dup(one.fileno())) for server in self.servers for one in server.sockets]
        for server in self.servers:
            server.close()
        for listening in sockets:
            listening.close()
        for door in doors:
            with door, contextlib.suppress(OSError):
                door.setblocking(False)
                while True:
                    waiting.append(door.accept()[0])
        loop = asyncio.get_running_loop()
        for one in waiting:
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(self._make_connection, one)

    def _make_connection(self) -> asyncio.Protocol:
        kind = cast("type[GuardedConnection]", self.config.http_protocol_class)
        return kind(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _many_connections() -> None:
    """Let this process have as many as the system allows; the usual 1,024 are fewer than it can serve."""
    try:
        import resource
    except ImportError:  # a system without such limits
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
