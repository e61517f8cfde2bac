"""Reads the URLs of PostgreSQL and what they may ask of the driver: a slip of the pen refuses to start."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from escrow.environment import Reader, SettingError

CONNECTIONS_MAX: Final = 1_000

NUMBERS: Final = {"maxsize": (1, CONNECTIONS_MAX), "statement_cache_size": (0, 100_000), "port": (1, 65_535)}
"""Parameters that are whole numbers, from and to: the connections of one process; prepared statements that one of them keeps (0
behind a proxy that hands out connections by transaction); the port beside a folder of sockets."""

RIGHT: Final = "it may end in ?host=FOLDER&port=5432&maxsize=20&statement_cache_size=100&ssl=true, or parts of that"


def database_url(read: Reader) -> str:
    """Where the deployment's database is. Refuses with `SettingError`; the URL, which may hold a password, isn't repeated."""
    example = "postgres://user:password@host:5432/earnest"
    url = read.required_url("DATABASE_URL", schemes=("postgres", "postgresql"), example=example)
    if not urlsplit(url).path.strip("/"):
        raise SettingError("DATABASE_URL", f"names no database; it must end in one, such as {example}")
    check_parameters("DATABASE_URL", url)
    return url


def read_url(read: Reader) -> str | None:
    """Where a standby of it is, if lists are read from one. Refuses with `SettingError`."""
    variable = "EARNEST_READ_URL"
    url = read.url(variable, schemes=("postgres", "postgresql"))
    if url is not None and not urlsplit(url).path.strip("/"):
        raise SettingError(variable, "names no database; it must end in one, the same as DATABASE_URL")
    if url is not None:
        check_parameters(variable, url)
    return url


def check_parameters(variable: str, url: str) -> None:
    """Refuse with `SettingError` what the driver wouldn't take, or would take for something else; the URL isn't repeated."""
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
