"""Looks at the variables: which are wrong, all of them at once, and which of our names nobody reads.

What is wrong is replaced by an example, so that the rest can be read and looked at, too; what depends on it is then left out.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Final

from earnest.backups import archiving
from earnest.doctor.findings import Finding, fine, odd, wrong
from earnest.run import telemetry
from escrow.settings import SettingError, Settings, compilation, log_format, log_level

SUBJECT: Final = "variables"

NEEDED: Final = {
    "DATABASE_URL": "postgres://user:password@host:5432/earnest",
    "REDIS_URL": "redis://host:6379/0",
    "EARNEST_SECRET_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "EARNEST_PAYMENT_PROVIDER": "stripe",
    "EARNEST_STRIPE_KEY": "rk_test_1",
    "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_1",
    "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/payments",
}
"""An example of each variable that is required in some case; the key is none that anybody may use."""

PAGE: Final = "; docs/operating.md lists them all"

MAKING: Final = {
    "EARNEST_SECRET_KEYS": "the one that all processes have; in a new deployment: openssl rand -base64 32 | tr '+/' '-_'"
}
"""What to do where it isn't enough to say what is right."""

SANDBOX: Final = {"EARNEST_SANDBOX": "on", "EARNEST_PAYMENT_PROVIDER": "sandbox"}
"""What is read in the place of either if it is wrong: it needs nothing else, and moves no money."""

TOGETHER: Final = {
    "EARNEST_JWKS_URL": "https://id.example.com/jwks",
    "EARNEST_JWT_ISSUER": "https://id.example.com/",
    "EARNEST_JWT_AUDIENCE": "earnest",
}
"""An example of those that are set together or not at all."""

READERS: Final[tuple[Callable[[Mapping[str, str]], object], ...]] = (
    Settings.from_environment,
    compilation,
    log_format,
    log_level,
    telemetry.configured,
    telemetry.interval_seconds,
    lambda environ: environ.get(archiving.BACKUPS),
)
"""Everything that reads variables of ours when a process starts."""

ELSEWHERE: Final = frozenset({"EARNEST_CHROMIUM", "EARNEST_KILLS"})
"""Names that only tests read."""


class _Noting(dict[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.asked: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


def known() -> frozenset[str]:
    """Every variable that a process of ours reads."""
    noting = _Noting(NEEDED | TOGETHER)
    for read in READERS:
        read(noting)
    return frozenset(noting.asked)


def read(environ: Mapping[str, str]) -> tuple[Settings, frozenset[str], list[Finding]]:
    """The settings as far as they are right, the variables that are wrong, and what is to be said of all of them."""
    found: list[Finding] = []
    trusted = dict(environ)
    bad: set[str] = set()
    for reader in READERS:
        while True:
            try:
                reader(trusted)
                break
            except SettingError as error:
                if error.variable not in bad:
                    found.append(
                        wrong(SUBJECT, str(error), MAKING.get(error.variable, f"set {error.variable} right{PAGE}"))
                    )
                _replace(trusted, error.variable)
                bad.add(error.variable)
    found += list(map(_unread, sorted(set(filter(_is_ours, environ)) - known() - ELSEWHERE)))
    return Settings.from_environment(trusted), frozenset(bad), found or [fine(SUBJECT, "all of them mean something")]


def _replace(environ: dict[str, str], variable: str) -> None:
    """Put something harmless in the place of what is wrong, or leave it out; what hangs together goes together."""
    if variable in SANDBOX:
        environ.update(SANDBOX)
        return
    for name in TOGETHER if variable in TOGETHER else (variable,):
        environ.pop(name, None)
    if variable in NEEDED:
        environ[variable] = NEEDED[variable]


def _is_ours(name: str) -> bool:
    return name.startswith("EARNEST_")


def _unread(name: str) -> Finding:
    meant = difflib.get_close_matches(name, known(), n=1)
    remedy = f"did you mean {meant[0]}?" if meant else "take it away; docs/operating.md lists those that mean something"
    return odd(SUBJECT, f"{name} means nothing to Earnest", remedy)
