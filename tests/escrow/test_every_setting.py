"""Every setting, whichever there are: an empty one is none, and what can't be meant is refused by name, with what would be right.

The settings are not listed here: they are what is asked for while all of them are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.settings import SettingError, Settings, compilation, log_format, log_level, tortoise_config
from tests.escrow.test_settings import IDENTITY, MINIMAL

STRIPE: Final = {
    "EARNEST_SANDBOX": "off",
    "EARNEST_PAYMENT_PROVIDER": "stripe",
    "EARNEST_STRIPE_KEY": "rk_test_1",
    "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_1",
    "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/payments",
}
WHOLE: Final = MINIMAL | IDENTITY | STRIPE
"""All that is read in some case is read with these."""

READERS: Final[tuple[Callable[[Mapping[str, str]], object], ...]] = (
    Settings.from_environment,
    compilation,
    log_format,
    log_level,
    lambda environ: tortoise_config(environ["DATABASE_URL"]),
)
"""Everything that reads variables when a process starts."""

ANY_WORDS: Final = frozenset(
    {
        "EARNEST_JWT_ISSUER",
        "EARNEST_JWT_AUDIENCE",
        "EARNEST_JWT_ACCOUNT_CLAIM",
        "EARNEST_JWT_PERSON_CLAIM",
        "EARNEST_JWT_SCOPE_CLAIM",
    }
)
"""What is compared to the letter with what somebody else says: any text may be right."""

GARBAGE: Final = (
    "garbage",
    "-1",
    "9" * 30,
    "9" * 5_000,
    "postgres://",
    "https://",
    "\u00b2",
    "on;off",
    "{}",
    "  x  y  ",
    "::::",
    "\x7f",
)


class Noting(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def read_all(environ: Mapping[str, str]) -> None:
    for read in READERS:
        read(environ)


def every_variable() -> Iterator[str]:
    noted: set[str] = set()
    for environ in (MINIMAL, WHOLE):
        noting = Noting(environ)
        read_all(noting)
        noted |= noting.asked
    yield from sorted(noted)


VARIABLES: Final = tuple(every_variable())


def refusal(variable: str, value: str) -> SettingError | None:
    """What is said of that value beside everything that is right."""
    try:
        read_all(WHOLE | {variable: value})
    except SettingError as error:
        return error
    return None


def outcome(environ: Mapping[str, str]) -> str:
    """The settings, or what keeps them from being read."""
    try:
        return repr(Settings.from_environment(environ))
    except SettingError as error:
        return f"{error.variable}: {error}"


def test_the_settings_are_found() -> None:
    assert {
        "DATABASE_URL",
        "REDIS_URL",
        "PORT",
        "EARNEST_STRIPE_PAYOUTS",
        "EARNEST_LOG_FORMAT",
        "EARNEST_JWKS_URL",
    } < set(VARIABLES)
    assert len(VARIABLES) >= 30


@pytest.mark.parametrize("variable", VARIABLES)
def test_an_empty_setting_counts_as_none(variable: str) -> None:
    without = {name: value for name, value in WHOLE.items() if name != variable}
    environs = (without, without | {variable: ""}, without | {variable: " \t"})
    assert len({outcome(environ) for environ in environs}) == 1


@pytest.mark.parametrize("variable", VARIABLES)
def test_garbage_is_refused_by_the_settings_own_name_and_told_what_would_be_right(variable: str) -> None:
    refusals = [found for value in GARBAGE if (found := refusal(variable, value)) is not None]
    assert bool(refusals) != (variable in ANY_WORDS)
    for found in refusals:
        assert found.variable == variable
        assert str(found).startswith(variable)
        assert "\n" not in str(found)
        assert any(word in str(found) for word in ("must", "begins with", "may end in", "needs ")), str(found)


@given(variable=st.sampled_from(VARIABLES), value=st.text(max_size=40))
def test_no_text_makes_a_setting_fail_in_another_way(variable: str, value: str) -> None:
    found = refusal(variable, value)
    assert found is None or found.variable == variable


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("maxsize=0", "from 1 to 1000"),
        ("maxsize=many", "from 1 to 1000"),
        ("maxsize=", "from 1 to 1000"),
        ("statement_cache_size=-1", "from 0 to"),
        ("ssl=false", "ssl=true"),
        ("sslmode=require", "means nothing here"),
        ("max_size=5", "means nothing here"),
        ("host=", "means nothing here"),
    ],
)
def test_a_parameter_of_the_databases_url_that_the_driver_would_not_take_is_refused(query: str, says: str) -> None:
    found = refusal("DATABASE_URL", f"postgres://user:hunter2@db/earnest?{query}")
    assert found is not None
    assert says in str(found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://user:hunter2@redis:6379/first", "must end in a number"),
        ("redis://user:hunter2@redis:6379/-1", "must end in a number"),
        ("redis://user:hunter2@redis:6379/0?ssl=true", "a parameter that means nothing"),
        ("redis://user:hunter2@redis:6379/0?socket_timeout=soon", "a parameter that means nothing"),
        ("redis://user:12/hunter2@redis:6379/0", "/ as %2F"),
        ("redis://user:hunter2#@redis:6379/0", "# must be written as %23"),
    ],
)
def test_a_redis_that_would_be_another_one_than_was_meant_is_refused(url: str, says: str) -> None:
    found = refusal("REDIS_URL", url)
    assert found is not None
    assert says in str(found)
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis", "redis://redis:6379/", "rediss://u:p%2Fq%40@redis:6379/15?ssl_cert_reqs=none",
        "unix:///run/a@b/redis.sock?db=2", "redis://redis?socket_timeout=5",
    ],
)  # fmt: skip
def test_a_redis_is_taken_by_all_that_its_driver_takes(url: str) -> None:
    assert refusal("REDIS_URL", url) is None


@pytest.mark.parametrize("variable", ["DATABASE_URL", "EARNEST_READ_URL"])
@pytest.mark.parametrize("password", ["hunter#2", "hunter/2", "hunter?2", "12/hunter", "12#hunter"])
def test_a_password_with_a_special_letter_is_told_how_to_write_it(variable: str, password: str) -> None:
    found = refusal(variable, f"postgres://user:{password}@db:5432/earnest")
    assert found is not None
    assert "%23" in str(found)
    assert "hunter" not in str(found)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", "localhost"])  # noqa: S104 - the words of a container
def test_addresses_to_listen_on_are_taken_as_they_are(host: str) -> None:
    assert Settings.from_environment(MINIMAL | {"EARNEST_HOST": host}).host == host


@pytest.mark.parametrize(
    ("host", "local_host", "local_url"),
    [
        ("0.0.0.0", "127.0.0.1", "http://127.0.0.1:8000"),  # noqa: S104 - the word of a container
        ("::", "::1", "http://[::1]:8000"),
        ("::1", "::1", "http://[::1]:8000"),
        ("fd00::2", "fd00::2", "http://[fd00::2]:8000"),
        ("localhost", "localhost", "http://localhost:8000"),
    ],
)
def test_an_address_is_told_as_a_connection_takes_it_and_as_a_url_does(
    host: str, local_host: str, local_url: str
) -> None:
    settings = Settings.from_environment(MINIMAL | {"EARNEST_HOST": host})
    assert (settings.local_host, settings.local_url) == (local_host, local_url)
    assert urlsplit(settings.local_url).port == settings.port


def test_every_setting_stands_in_the_page_for_operators() -> None:
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    assert [variable for variable in VARIABLES if f"`{variable}`" not in page] == []
