"""Says what the URL of PostgreSQL may ask of the driver, so that a slip of the pen refuses to start instead of meaning nothing."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from escrow.environment import SettingError

CONNECTIONS_MAX: Final = 1_000

NUMBERS: Final = {"maxsize": (1, CONNECTIONS_MAX), "statement_cache_size": (0, 100_000), "port": (1, 65_535)}
"""Parameters that are whole numbers, from and to: the connections of one process; prepared statements that one of them keeps (0 behind
a proxy that hands out connections by transaction); the port beside a folder of sockets."""

RIGHT: Final = "it may end in ?host=FOLDER&port=5432&maxsize=20&statement_cache_size=100&ssl=true, or parts of that"


def check_parameters(variable: str, url: str) -> None:
    """Refuse with `SettingError` what the driver wouldn't take, or would take for something else; the URL itself isn't repeated."""
    for name, value in parse_qsl(urlsplit(url).query, keep_blank_values=True):
        if name in NUMBERS:
            _check_number(variable, name, value)
        elif name == "ssl":
            # The driver takes any word for yes, "false" too.
            if value != "true":
                raise SettingError(
                    variable, f"has ssl={value}; it must be ssl=true, or left out for a connection in the clear"
                )
        elif name != "host" or not value:
            raise SettingError(variable, f"has the parameter {name!r}, which means nothing here; {RIGHT}")


def _check_number(variable: str, name: str, value: str) -> None:
    least, most = NUMBERS[name]
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise SettingError(variable, f"has {name}={value}; it must be a whole number from {least} to {most}")
