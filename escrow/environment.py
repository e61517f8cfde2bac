"""Reads variables of the environment, one at a time, and says in one line what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

COUNT_MAX = 1_000_000


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
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
            raise SettingError(variable, f"is {text!r}; it must be a port number from 1 to 65535")
        return int(text)

    def count(self, variable: str, *, default: int) -> int:
        """A whole number from 1 on."""
        text = self.text(variable)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= COUNT_MAX):
            raise SettingError(variable, f"is {text!r}; it must be a whole number from 1 to {COUNT_MAX}")
        return int(text)

    def url(self, variable: str, *, schemes: tuple[str, ...]) -> str | None:
        """A URL of one of these schemes."""
        text = self.text(variable)
        if text is None:
            return None
        parts = split(text)
        if parts is None or parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/")):
            # The value itself may carry a password: it is not repeated.
            raise SettingError(variable, f"is not a URL that begins with {' or '.join(f'{s}://' for s in schemes)}")
        return text

    def required_url(self, variable: str, *, schemes: tuple[str, ...], example: str) -> str:
        """The same, and it must be there."""
        text = self.url(variable, schemes=schemes)
        if text is None:
            raise SettingError(variable, f"is not set; it must be a URL such as {example}")
        return text


def split(url: str) -> SplitResult | None:
    """The parts of a URL; `None` for nonsense."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # parsed lazily, raises on nonsense
    except ValueError:
        return None
    return parts
