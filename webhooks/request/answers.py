"""Says what came of one attempt: the receiver's answer, or the class of the error in its place, with what was measured."""

from __future__ import annotations

import contextlib
import email.utils
import logging
import math
import re
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from webhooks.request import ssrf

STATUS_MIN: Final = 100
"""What is below is no status of HTTP."""

_log = logging.getLogger(__name__)

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


class ErrorClass(StrEnum):
    """Why an attempt has no complete answer: what the sender says, and what became of workers."""

    URL_REFUSED = "URL_REFUSED"
    DNS_FAILED = "DNS_FAILED"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECT_FAILED = "CONNECT_FAILED"
    TLS_FAILED = "TLS_FAILED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    DISCONNECTED = "DISCONNECTED"
    INVALID_ANSWER = "INVALID_ANSWER"
    TIMEOUT = "TIMEOUT"
    ABANDONED = "ABANDONED"
    """Its worker never said what came of it: it was killed, or paused for too long."""
    INTERRUPTED = "INTERRUPTED"
    """It was cut off because its worker was told to stop, or it failed for a reason of ours."""


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came of one attempt, filled while it is under way. Times are milliseconds since `started_at`; `None` where it didn't
    get so far."""

    status: int | None = None
    """As soon as a status line came, also if the rest never did."""
    error: ErrorClass | None = None
    """`None` if the answer came whole, or as much of it as is kept."""
    address: str | None = None
    """The one that it was sent to. Not said of a refused one: names inside the operator's network stay its own."""
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    dns_ms: float | None = None
    """Until the name was resolved; `None` on a connection that was there already."""
    connect_ms: float | None = None
    """Until the connection was there, TLS included."""
    first_byte_ms: float | None = None
    """Until status and headers were there."""
    total_ms: float = 0.0
    excerpt: bytes = b""
    retry_after_seconds: float | None = None
    """What the receiver asked for, at least 0; bounding it is up to whoever plans the next attempt."""

    @property
    def is_success(self) -> bool:
        """Any 2xx that came whole within the deadline."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class Exchange:
    """One attempt under way; the connector's hooks find it in `current` and write down in its answer what they see."""

    answer: Answer = field(default_factory=Answer)
    start: float = field(default_factory=time.perf_counter)
    is_reused: bool = False
    wants_new_connection: bool = False

    def ms(self) -> float:
        """Milliseconds since the start."""
        return (time.perf_counter() - self.start) * 1000

    def heard(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers are there. Raises `ValueError` if they are none of HTTP."""
        self.answer.first_byte_ms = self.ms()
        if status < STATUS_MIN:  # the library reads any three digits
            self.answer.error = ErrorClass.INVALID_ANSWER
            raise ValueError(f"an answer with status {status}")
        self.answer.status = status
        asked = headers.get("retry-after")
        self.answer.retry_after_seconds = retry_after_seconds(asked, now=datetime.now(UTC))


current: Final[ContextVar[Exchange]] = ContextVar("exchange")
"""The attempt that this task is at."""


def class_of(error: Exception) -> ErrorClass:
    """The class of what the library raised; the first that fits."""
    for kind, error_class in _CLASSES:
        if isinstance(error, kind):
            return error_class
    _log.warning("an answer that the HTTP library itself stumbles over", exc_info=error)
    return ErrorClass.INVALID_ANSWER


_CLASSES: Final[tuple[tuple[type[Exception], ErrorClass], ...]] = (
    (ssrf.UrlRefused, ErrorClass.URL_REFUSED),
    (aiohttp.ClientConnectorDNSError, ErrorClass.DNS_FAILED),
    (aiohttp.ClientConnectorCertificateError, ErrorClass.CERTIFICATE_REFUSED),
    (aiohttp.ClientConnectorSSLError, ErrorClass.TLS_FAILED),
    (aiohttp.ClientConnectorError, ErrorClass.CONNECT_FAILED),
    (HttpProcessingError, ErrorClass.INVALID_ANSWER),
    (aiohttp.ClientConnectionError, ErrorClass.DISCONNECTED),
    (aiohttp.ClientPayloadError, ErrorClass.DISCONNECTED),
    (OSError, ErrorClass.DISCONNECTED),
)


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """What a `Retry-After` header asks for, in seconds or as a date of HTTP; `None` if there is none or it is nonsense."""
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return float(value)
    with contextlib.suppress(ValueError, OverflowError):
        at = email.utils.parsedate_to_datetime(value)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
        return max(0.0, seconds) if math.isfinite(seconds) else None
    return None
