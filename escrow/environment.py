"""Reads variables of the environment, one at a time, and says in one line what is wrong with them."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

COUNT_MAX = 1_000_000
DIGITS_MAX = 20
"""Of a number that anything is asked for: Python itself reads no more than some thousand."""

SHOWN_CHARACTERS_MAX = 60

ESCAPED = (
    "in a user's name or a password, # must be written as %23, / as %2F, : as %3A, ? as %3F, @ as %40 and % as %25"
)


class SettingError(ValueError):
    """A variable of the environment is missing or wrong; the message is one line for whoever set it."""

    def __init__(self, variable: str, problem: str) -> None:
        super().__init__(f"{variable} {problem}")
        self.variable = variable


class Reader:
    """The variables of one environment; an empty one counts as not set."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, variable: str) -> str | None:
        """What it says, without spaces around."""
        return self._environ.get(variable, "").strip() or None

    def switch(self, variable: str, *, default: bool) -> bool:
        """`on` or `off`, in a few spellings."""
        text = self.text(variable)
        if text is None:
            return default
        if text.lower() in {"on", "true", "yes", "1"}:
            return True
        if text.lower() in {"off", "false", "no", "0"}:
            return False
        raise SettingError(variable, f"is {text!r}; it must be on or off")

    def port(self, variable: str, *, default: int) -> int:
        """A port to listen on."""
        text = self.text(variable)
        if text is None:
            return default
        number = whole_number(text, 1, 65535)
        if number is None:
            raise SettingError(variable, f"is {shortened(text)}; it must be a port number from 1 to 65535")
        return number

    def count(self, variable: str, *, default: int) -> int:
        """A whole number from 1 on."""
        text = self.text(variable)
        if text is None:
            return default
        number = whole_number(text, 1, COUNT_MAX)
        if number is None:
            raise SettingError(variable, f"is {shortened(text)}; it must be a whole number from 1 to {COUNT_MAX}")
        return number

    def networks(self, variable: str, *, default: str) -> str:
        """Addresses and networks by commas, or `*` for every address."""
        text = self.text(variable)
        if text is None or text == "*":
            return text or default
        for one in text.split(","):
            try:
                ipaddress.ip_network(one.strip())
            except ValueError:
                right = "it must be comma-separated addresses and networks such as 10.0.0.7,10.1.0.0/16, or *"
                raise SettingError(variable, f"has {shortened(one.strip())}; {right}") from None
        return text

    def url(self, variable: str, *, schemes: tuple[str, ...]) -> str | None:
        """A URL of one of these schemes."""
        text = self.text(variable)
        if text is None:
            return None
        parts = split(text)
        if parts is None or parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/")):
            # The value itself may carry a password: it is not repeated.
            right = f"is not a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            is_begun = text.lower().startswith(tuple(f"{scheme}://" for scheme in schemes))
            raise SettingError(variable, f"{right} and can be read on; {ESCAPED}" if is_begun else right)
        return text

    def required_url(self, variable: str, *, schemes: tuple[str, ...], example: str) -> str:
        """The same, and it must be there."""
        text = self.url(variable, schemes=schemes)
        if text is None:
            raise SettingError(variable, f"is not set; it must be a URL such as {example}")
        return text


def whole_number(text: str, least: int, most: int) -> int | None:
    """The number that a text says in digits, if it lies between both; else `None`."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX and least <= int(text) <= most):
        return None
    return int(text)


def shortened(text: str) -> str:
    """A value as it is repeated in a message: in quotes, and no longer than somebody reads."""
    return repr(text) if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]!r}…"


def split(url: str) -> SplitResult | None:
    """The parts of a URL; `None` for nonsense."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed lazily, raises on nonsense
    except ValueError:
        return None
    return parts
