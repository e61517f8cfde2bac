"""Reads the URLs of PostgreSQL and Redis and what they may ask of the drivers: a slip of the pen refuses to start."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from escrow.environment import ESCAPED, Reader, SettingError, shortened, whole_number

CONNECTIONS_MAX: Final = 1_000

REDIS_DATABASE_MAX: Final = 1_000_000
"""How many there are, the server knows."""

NUMBERS: Final = {"maxsize": (1, CONNECTIONS_MAX), "statement_cache_size": (0, 100_000), "port": (1, 65_535)}
"""Parameters that are whole numbers, from and to: the connections of one process; prepared statements that one of them keeps (0
behind a proxy that hands out connections by transaction); the port beside a folder of sockets."""

RIGHT: Final = "it may end in ?host=FOLDER&port=5432&maxsize=20&statement_cache_size=100&ssl=true, or parts of that"


def database_url(read: Reader) -> str:
    """Where the deployment's database is. Refuses with `SettingError`; the URL, which may hold a password, isn't repeated."""
    example = "postgres://user:password@host:5432/earnest"
    url = read.required_url("DATABASE_URL", schemes=("postgres", "postgresql"), example=example)
    _check_whole("DATABASE_URL", url)
    if not urlsplit(url).path.strip("/"):
        raise SettingError("DATABASE_URL", f"names no database; it must end in one, such as {example}")
    check_parameters("DATABASE_URL", url)
    return url


def read_url(read: Reader) -> str | None:
    """Where a standby of it is, if lists are read from one. Refuses with `SettingError`."""
    variable = "EARNEST_READ_URL"
    url = read.url(variable, schemes=("postgres", "postgresql"))
    if url is None:
        return None
    _check_whole(variable, url)
    if not urlsplit(url).path.strip("/"):
        raise SettingError(variable, "names no database; it must end in one, the same as DATABASE_URL")
    check_parameters(variable, url)
    return url


def redis_url(read: Reader) -> str:
    """Where Redis is. Refuses with `SettingError`; the URL, which may hold a password, isn't repeated."""
    variable, example = "REDIS_URL", "redis://host:6379/0"
    url = read.required_url(variable, schemes=("redis", "rediss", "unix"), example=example)
    _check_whole(variable, url)
    parts = urlsplit(url)
    number = parts.path.strip("/")
    if parts.scheme != "unix" and number and whole_number(number, 0, REDIS_DATABASE_MAX) is None:
        # The driver would take the first one without a word, where somebody else may be.
        raise SettingError(variable, f"names no database of Redis; it must end in a number, such as {example}")
    if parts.query and not _taken_by_redis(url):
        raise SettingError(
            variable, f"has a parameter that means nothing to Redis' driver; it must be such as {example}"
        )
    return url


def _taken_by_redis(url: str) -> bool:
    from escrow import bell  # the driver is loaded for this alone

    return bell.takes(url)


def _check_whole(variable: str, url: str) -> None:
    """Refuse with `SettingError` a URL that ends too early, since what is special stands in a password as it is."""
    parts = urlsplit(url)
    if parts.fragment or (parts.scheme != "unix" and "@" in parts.path):
        raise SettingError(variable, f"has an “@” or a “#” where none can be; {ESCAPED}")


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
    if whole_number(value, least, most) is None:
        raise SettingError(variable, f"has {name}={shortened(value)}; it must be a whole number from {least} to {most}")
