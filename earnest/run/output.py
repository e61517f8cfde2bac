"""Prints the lines of the supervisor and of its processes: each behind a name, or each as an entry of one JSON log."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TextIO

from escrow import process_log
from escrow.settings import LogFormat

NAME_WIDTH = 8
COLOURS = (36, 33, 35, 32, 34)
LINE_BYTES_MAX = 64 * 1024
DRAIN_SECONDS = 1.0


class Output:
    """Lines of several processes on one stream. When the stream's reader is gone, it says so once and falls silent."""

    def __init__(self, stream: TextIO, *, on_closed: Callable[[], None], form: LogFormat = LogFormat.TEXT) -> None:
        self._stream = stream
        self._on_closed = on_closed
        self._form = form
        self._closed = False
        self.is_coloured = form is LogFormat.TEXT and process_log.is_coloured(stream)
        self._names: list[str] = []
        self._followers: list[asyncio.Task[None]] = []

    def line(self, name: str, text: str) -> None:
        """Print one line of the named process; what is an entry of a JSON log already stays as it is."""
        if self._closed:
            return
        if name not in self._names:
            self._names.append(name)
        try:
            self._print(f"{self._laid_out(name, text)}\n")
            self._stream.flush()
        except OSError:
            self._closed = True
            self._on_closed()

    @asynccontextmanager
    async def pipe(self, name: str) -> AsyncIterator[int]:
        """A file descriptor for a process that starts inside the context; what it writes is printed, line by line.

        The pipe is ours and not asyncio's, which calls a process ended only when all its descendants closed theirs.
        """
        reading, writing = os.pipe()
        reader = asyncio.StreamReader()
        try:
            await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
            )
            self._followers.append(asyncio.create_task(self._follow(name, reader)))
            yield writing
        finally:
            os.close(writing)

    async def drain(self) -> None:
        """Print what is still on its way; a descendant that keeps the pipe open is waited for a second, not more."""
        if self._followers:
            _, open_still = await asyncio.wait(self._followers, timeout=DRAIN_SECONDS)
            for follower in open_still:
                follower.cancel()
        self._followers.clear()

    async def _follow(self, name: str, reader: asyncio.StreamReader) -> None:
        rest = b""
        with suppress(OSError):
            while chunk := await reader.read(LINE_BYTES_MAX):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self.line(name, line.decode(errors="replace").rstrip("\r"))
                if len(rest) > LINE_BYTES_MAX:
                    self.line(name, rest.decode(errors="replace"))
                    rest = b""
        if rest:
            self.line(name, rest.decode(errors="replace"))

    def _print(self, text: str) -> None:
        """What the stream's encoding doesn't have is spelled out: whoever follows a process must not end for it."""
        try:
            self._stream.write(text)
        except UnicodeError:
            encoding = self._stream.encoding
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _laid_out(self, name: str, text: str) -> str:
        if self._form is LogFormat.JSON:
            return text if text.startswith("{") else process_log.line(name, text, self._form)
        prefix = f"{name:<{NAME_WIDTH}}|"
        if self.is_coloured:
            prefix = f"\033[{COLOURS[self._names.index(name) % len(COLOURS)]}m{prefix}\033[0m"
        return f"{prefix} {text}"
