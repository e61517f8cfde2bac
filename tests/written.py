"""What is written of everything that is logged: the lines of a process, as `escrow.process_log` makes them."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from escrow import process_log
from escrow.settings import LogFormat


class Written:
    """The lines so far."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    @property
    def lines(self) -> list[str]:
        """As they stand in the log."""
        return self._stream.getvalue().splitlines()

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The lines of a log in JSON."""
        return [json.loads(line) for line in self.lines]


@contextmanager
def written(form: LogFormat = LogFormat.JSON, *, coloured: bool = False) -> Iterator[Written]:
    """What is logged inside the block, from INFO on."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(process_log.formatter(form, coloured=coloured))
    root = logging.getLogger()
    level = root.level
    root.handlers.insert(0, handler)  # before those of pytest, which leave marks on the records
    root.setLevel(logging.INFO)
    try:
        yield Written(stream)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
