"""A client that keeps connections busy, in a process of its own: each line that it reads is a job, each it writes a result.

It does as little as one can between two requests, and still looks at every answer.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import orjson
import uvloop


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a job: how many requests, in how many seconds, and the median and the 99th percentile of a request's."""

    requests: int
    seconds: float
    p50_seconds: float
    p99_seconds: float
    cpu_seconds: float
    """Of this client itself."""
    wrong: str | None = None
    """The first answer that was not as it had to be."""


class _Job:
    """Requests that are still to be sent, and what is known of those that were answered."""

    def __init__(self, given: dict[str, Any], ended: asyncio.Future[None]) -> None:
        self.requests = [base64.b64decode(one) for one in given["requests"]]
        self.answers = [base64.b64decode(one) for one in given["answers"]]
        self.within: bytes = given["within"].encode()
        self.seconds: float = given["seconds"]
        self.once: bool = given["once"]
        self.open: int = given["connections"]
        self.late: list[float] = []
        self.wrong: str | None = None
        self.began = time.perf_counter()
        self.numbers = self._numbers()
        self._ended = ended

    def _numbers(self) -> Iterator[int]:
        """The numbers of the requests in their order, each once or again and again, until the time is up."""
        while True:
            for number in range(len(self.requests)):
                if self.wrong or time.perf_counter() - self.began > self.seconds:
                    return
                yield number
            if self.once:
                return

    def answered(self, number: int, head: bytes, body: bytes) -> None:
        expected = self.answers[number] if self.answers else None
        is_right = body == expected if expected is not None else self.within in body and b'"errors"' not in body
        if not is_right or not head.startswith(b"HTTP/1.1 200"):
            self.wrong = (head + body)[:1000].decode(errors="replace")

    def closed(self) -> None:
        self.open -= 1
        if self.open == 0 and not self._ended.done():
            self._ended.set_result(None)


class _Connection(asyncio.Protocol):
    def __init__(self, job: _Job) -> None:
        self._job = job
        self._received = b""
        self._number = -1
        self._sent_at = 0.0
        self._length = -1
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def _send(self) -> None:
        number = next(self._job.numbers, None)
        if number is None:
            self._transport.close()
            return
        self._number, self._received, self._length = number, b"", -1
        self._sent_at = time.perf_counter()
        self._transport.write(self._job.requests[number])

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._length < 0 and not self._head():
            return
        if len(self._received) < self._body_at + self._length:
            return
        self._job.late.append(time.perf_counter() - self._sent_at)
        self._job.answered(self._number, self._received[: self._body_at], self._received[self._body_at :])
        self._send()

    def _head(self) -> bool:
        """Whether all of the head has come; then it is known how long the answer is."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self._received[:end].lower()
        place = head.find(b"content-length:")
        if place < 0:
            self._job.wrong = f"an answer without a content-length: {head.decode(errors='replace')}"
        self._body_at = end + 4
        self._length = int(head[place + 15 :].partition(b"\r\n")[0]) if place >= 0 else 0
        return True

    def connection_lost(self, _: Exception | None) -> None:
        self._job.closed()


async def _carry_out(given: dict[str, Any]) -> Result:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    job = _Job(given, ended)
    cpu = time.process_time()
    for _ in range(given["connections"]):
        await loop.create_connection(lambda: _Connection(job), "127.0.0.1", given["port"])
    await ended
    seconds = time.perf_counter() - job.began
    late = sorted(job.late)
    return Result(
        requests=len(late),
        seconds=seconds,
        p50_seconds=late[len(late) // 2] if late else 0.0,
        p99_seconds=late[len(late) * 99 // 100] if late else 0.0,
        cpu_seconds=time.process_time() - cpu,
        wrong=job.wrong,
    )


def main() -> None:
    for line in sys.stdin.buffer:
        result = uvloop.run(_carry_out(orjson.loads(line)))
        sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
