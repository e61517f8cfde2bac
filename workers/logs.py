"""How a worker process writes its log: one line an entry, to standard error, as `key=value` pairs.

What an entry says beside its message stands in `extra`; a traceback becomes one quoted value. Secrets never come here:
nobody passes tokens, keys or URLs with passwords to a logger.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`at=… level=… logger=… message="…"`, then what `extra` gave, then the error."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return " ".join(f"{name}={_value(value)}" for name, value in fields.items())


def _value(value: object) -> str:
    """As it is if it needs no quotes, else as a JSON string: never a line break."""
    text = str(value)
    plain = text.isprintable() and text != "" and not set(text) & set(' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def configure() -> None:
    """Write everything from INFO on this way, and of libraries what is worth a person's time."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for library in ("arq", "asyncio", "tortoise"):
        logging.getLogger(library).setLevel(logging.WARNING)
    # Its warnings say that a connection was replaced, with a traceback each; the pumps say that better.
    logging.getLogger("asyncpg").setLevel(logging.ERROR)
