"""Marks what takes its time, for whoever records spans; where nobody does, marking does nothing and costs next to nothing.

The recorder is OpenTelemetry's, started by `earnest.run.telemetry` where it is configured. Nothing here imports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Any, Protocol

Value = str | int | float | bool


class Kind(StrEnum):
    """Which side of a call a span is, in OpenTelemetry's words."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    CONSUMER = "CONSUMER"


class Span(Protocol):
    """What is marked, while it goes on."""

    def say(self, **attributes: Value) -> None:
        """Add what became known; `_` in a name reads as `.`."""

    def failed(self, kind: str) -> None:
        """It came to nothing, for this kind of reason."""


class _Nothing:
    """What marks nothing."""

    def __enter__(self) -> _Nothing:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, **_: Value) -> None:
        return None

    def failed(self, kind: str) -> None:
        return None


_NOTHING = _Nothing()

Recorder = Callable[[str, Kind, Mapping[str, Value]], AbstractContextManager[Span]]

_recorder: Recorder | None = None


def use(recorder: Recorder | None) -> None:
    """Have spans recorded from now on, or no more."""
    global _recorder
    _recorder = recorder


def is_recording() -> bool:
    """Whether anybody records."""
    return _recorder is not None


def span(name: str, kind: Kind = Kind.INTERNAL, **attributes: Value) -> AbstractContextManager[Any]:
    """`with span("command", …) as span:` marks the block, below the span that it stands in; `_` in a name reads as `.`."""
    return _NOTHING if _recorder is None else _recorder(name, kind, attributes)
