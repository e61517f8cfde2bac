"""Reads the settings of a deployment: each has its variable, its default and the reason for it.

Settings come from the environment only and are read once, at the start. A wrong value refuses to start with one line
that names the variable and says what would be right; nobody else reads the environment. The embedded mode has no
defaults of its own here: the supervisor sets the same variables that an operator would.
"""

import base64
import binascii
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tortoise.backends.base.config_generator import expand_db_url

from escrow.environment import Reader, shortened, split, whole_number
from escrow.environment import SettingError as SettingError  # who reads settings catches it
from escrow.server_urls import database_url, read_url, redis_url
from escrow.stripe_access import StripeAccess, stripe_access

POOL_CONNECTIONS_MAX = 20
"""Connections of one process to PostgreSQL, unless the URL says `maxsize`. The driver's own 5 make commands queue
behind each other at 16 at once; 20 leaves room for four processes under PostgreSQL's default of 100."""

SECRET_KEY_BYTES = 32

METRICS_TOKEN_CHARACTERS_MIN = 16


class PaymentProvider(StrEnum):
    """Who moves the money."""

    SANDBOX = "sandbox"
    STRIPE = "stripe"


class Reach(StrEnum):
    """How far webhooks reach beyond the internet, by the words of `EARNEST_WEBHOOK_ALLOW_PRIVATE`."""

    PUBLIC = "off"
    LOOPBACK = "loopback"
    """Also this machine itself, and by plain http: for developing."""
    PRIVATE = "on"
    """Also private networks, and by plain http: for a deployment whose receivers are its operator's own."""


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class Compilation(StrEnum):
    """Whether operations of the API are compiled, by the words of `EARNEST_COMPILED`."""

    ON = "on"
    """When they are used a second time."""
    EAGER = "eager"
    """At once: for tests, which use most operations only once."""
    OFF = "off"
    """Never: graphql-core executes them, for finding out whose fault something is."""


def compilation(environ: Mapping[str, str] | None = None) -> Compilation:
    """`EARNEST_COMPILED`, on: answers are the same either way, and several times cheaper.

    Not a field of `Settings`, since the application knows its operations before it is told its settings. Refuses with
    `SettingError`.
    """
    text = Reader(os.environ if environ is None else environ).text("EARNEST_COMPILED") or Compilation.ON
    if text not in set(Compilation):
        raise SettingError("EARNEST_COMPILED", f"is {text!r}; it must be {', '.join(Compilation)}")
    return Compilation(text)


def log_format(environ: Mapping[str, str] | None = None) -> LogFormat:
    """`EARNEST_LOG_FORMAT`, text: `key=value` pairs for people; `json` for whoever collects the lines of a deployment.

    Not a field of `Settings`, since commands that need no database log too. Refuses with `SettingError`.
    """
    text = Reader(os.environ if environ is None else environ).text("EARNEST_LOG_FORMAT") or LogFormat.TEXT
    if text not in set(LogFormat):
        raise SettingError("EARNEST_LOG_FORMAT", f"is {text!r}; it must be {' or '.join(LogFormat)}")
    return LogFormat(text)


class LogLevel(StrEnum):
    """From where on lines are written."""

    INFO = "info"
    """Also a line for each command, each call to the payment provider and each webhook."""
    WARNING = "warning"


def log_level(environ: Mapping[str, str] | None = None) -> LogLevel:
    """`EARNEST_LOG_LEVEL`, info: a command's line takes some 25 microseconds. Refuses with `SettingError`."""
    text = Reader(os.environ if environ is None else environ).text("EARNEST_LOG_LEVEL") or LogLevel.INFO
    if text not in set(LogLevel):
        raise SettingError("EARNEST_LOG_LEVEL", f"is {text!r}; it must be {' or '.join(LogLevel)}")
    return LogLevel(text)


POINTS_PER_SECOND = 20_000.0
"""What a key may use unless somebody says otherwise: a fifth of a web process, some 300 small queries a second."""

POINTS_MIN = 100
POINTS_MAX = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """Who signs tokens for people of this deployment, and where in a token it says what."""

    jwks_url: str
    """`EARNEST_JWKS_URL`: where it publishes its public keys."""
    issuer: str
    """`EARNEST_JWT_ISSUER`: what it calls itself, to the letter."""
    audience: str
    """`EARNEST_JWT_AUDIENCE`: what it calls us."""
    account_claim: str = "earnest_account"
    """`EARNEST_JWT_ACCOUNT_CLAIM`: the claim with the identifier of the account that is acted for."""
    person_claim: str = "sub"
    """`EARNEST_JWT_PERSON_CLAIM`: the claim by which the account's members know the person."""
    scope_claim: str = "scope"
    """`EARNEST_JWT_SCOPE_CLAIM`: the claim with the scopes, in one text or a list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one deployment decided. Secrets stay out of `repr`, so that a log line cannot leak them."""

    database_url: str = field(repr=False)
    """`DATABASE_URL`, required: PostgreSQL holds everything that matters."""

    read_url: str | None = field(default=None, repr=False)
    """`EARNEST_READ_URL`, none: a standby of the same database, from which lists, the feed and audits are read."""

    redis_url: str = field(repr=False)
    """`REDIS_URL`, required: Redis wakes the workers; nothing that matters lives there."""

    secret_keys: tuple[bytes, ...] = field(repr=False)
    """`EARNEST_SECRET_KEYS`, required: the first encrypts secrets at rest, all decrypt, so that keys can be rotated."""

    sandbox: bool = False
    """`EARNEST_SANDBOX`, off: the test clock and the sandbox provider have no place where money is real."""

    payment_provider: PaymentProvider
    """`EARNEST_PAYMENT_PROVIDER`, required: nobody should pay with the sandbox because of a forgotten variable."""

    sandbox_hold_days: int | None = None
    """`EARNEST_SANDBOX_HOLD_DAYS`, none: for how many days the sandbox provider may hold money, as real ones may only so long."""

    stripe: StripeAccess | None = field(default=None, repr=False)
    """`EARNEST_STRIPE_KEY` and the variables beside it: required with the provider `stripe`, read for no other."""

    webhook_reach: Reach = Reach.PUBLIC
    """`EARNEST_WEBHOOK_ALLOW_PRIVATE`, off: partners' URLs must not reach into the operator's own network."""

    metrics_token: str | None = field(default=None, repr=False)
    """`EARNEST_METRICS_TOKEN`, none: what a scraper must show to read `/metrics`. Without one the page is there in a sandbox
    only, since how much money waits and how late a deployment is are nobody else's business."""

    metrics_port: int | None = None
    """`EARNEST_METRICS_PORT`, none: where a worker shows its figures. A worker has no other port."""

    milestone_url: str | None = None
    """`EARNEST_MILESTONE_URL`, none: where people see a milestone, with `{milestoneId}` in it; calendars link there."""

    public_url: str | None = None
    """`EARNEST_PUBLIC_URL`, none: where the deployment is reached, without a slash at the end; errors link to their pages there.
    Without it links are paths, since what a request says of its own address may be made up."""

    allowed_origins: frozenset[str] = frozenset()
    """`EARNEST_ALLOWED_ORIGINS`, none: pages of other addresses can't use the API until somebody says which may."""

    points_per_second: float | None = None
    """`EARNEST_RATE`, 20,000 or `off`: what a key may use in the long run, in points of a hundred-thousandth of a second of a
    process; `None` counts nothing. Operators set another rate for an account."""

    explorer: bool = False
    """`EARNEST_EXPLORER`, on in a sandbox: whether a browser at the API's address may try operations there."""

    only_registered_documents: bool = False
    """`EARNEST_DOCUMENTS`, `any` or `registered`: whether only documents that the operator registered are answered."""

    identity: IdentityProvider | None = None
    """`EARNEST_JWKS_URL` and the variables beside it, none: whose tokens are taken beside API keys."""

    connections_max: int = 10_000
    """`EARNEST_CONNECTIONS_MAX`, 10,000: the connections of one web process."""

    connections_per_address_max: int = 1_000
    """`EARNEST_CONNECTIONS_PER_ADDRESS_MAX`, 1,000: those of one address (of an IPv6 network of 64 bits). Behind a proxy,
    which is one address for everybody, as many as in all."""

    believed_proxies: str = "127.0.0.1,::1"
    """`FORWARDED_ALLOW_IPS`, this machine: whose word for who asks is taken (`X-Forwarded-For`); others may make it up."""

    host: str = "127.0.0.1"
    """`EARNEST_HOST`, loopback: a door opens to the network only when somebody says so (`0.0.0.0` in a container)."""

    port: int = 8000
    """`PORT`, 8000: the name that hosting platforms use."""

    @property
    def local_host(self) -> str:
        """The address under which this machine reaches the web process, as a connection takes it."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - it binds nothing

    @property
    def local_url(self) -> str:
        """Where this machine reaches the web process, without a path."""
        host = f"[{self.local_host}]" if ":" in self.local_host else self.local_host
        return f"http://{host}:{self.port}"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read every variable; an empty one counts as not set.

        Refuses with `SettingError`, naming the variable and what would be right: one that is required and missing,
        one that doesn't parse, the sandbox provider outside the sandbox.
        """
        read = Reader(os.environ if environ is None else environ)
        sandbox = read.switch("EARNEST_SANDBOX", default=False)
        provider = _payment_provider(read, sandbox=sandbox)
        return cls(
            database_url=database_url(read),
            read_url=read_url(read),
            redis_url=redis_url(read),
            secret_keys=_secret_keys(read),
            sandbox=sandbox,
            payment_provider=provider,
            sandbox_hold_days=read.count("EARNEST_SANDBOX_HOLD_DAYS", default=0) or None,
            stripe=stripe_access(read) if provider is PaymentProvider.STRIPE else None,
            webhook_reach=_webhook_reach(read),
            metrics_token=_metrics_token(read),
            metrics_port=read.port("EARNEST_METRICS_PORT", default=0) or None,
            milestone_url=_milestone_url(read),
            public_url=_public_url(read),
            allowed_origins=_allowed_origins(read),
            points_per_second=_rate(read),
            explorer=read.switch("EARNEST_EXPLORER", default=sandbox),
            only_registered_documents=_documents(read),
            identity=_identity(read),
            connections_max=read.count("EARNEST_CONNECTIONS_MAX", default=10_000),
            connections_per_address_max=read.count("EARNEST_CONNECTIONS_PER_ADDRESS_MAX", default=1_000),
            believed_proxies=read.networks("FORWARDED_ALLOW_IPS", default="127.0.0.1,::1"),
            host=_host(read),
            port=read.port("PORT", default=8000),
        )


def tortoise_config(database_url: str) -> dict[str, Any]:
    """The configuration of Tortoise for a database: every package's tables by name, times in UTC."""
    connection = expand_db_url(database_url)
    connection["credentials"].setdefault("maxsize", POOL_CONNECTIONS_MAX)
    return {
        "connections": {"default": connection},
        "apps": {
            "escrow": {
                "models": ["escrow.models"],
                "default_connection": "default",
                "migrations": "escrow.migrations",
            },
            "webhooks": {
                "models": ["webhooks.models"],
                "default_connection": "default",
                "migrations": "webhooks.migrations",
            },
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def __getattr__(name: str) -> dict[str, Any]:
    """`TORTOISE_ORM` for Tortoise's own command line (`tortoise -c escrow.settings.TORTOISE_ORM history`)."""
    if name != "TORTOISE_ORM":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return tortoise_config(database_url(Reader(os.environ)))


def _host(read: Reader) -> str:
    """An address of this machine; a name would be whatever somebody's resolver says at the moment."""
    text = read.text("EARNEST_HOST") or "127.0.0.1"
    try:
        return text if text == "localhost" else str(ipaddress.ip_address(text))
    except ValueError:
        raise SettingError(
            "EARNEST_HOST",
            f"is {text!r}; it must be an address to listen on, such as 127.0.0.1, 0.0.0.0, :: or localhost",
        ) from None


def _secret_keys(read: Reader) -> tuple[bytes, ...]:
    right = f"comma-separated keys of {SECRET_KEY_BYTES} random bytes each, in URL-safe base64"
    text = read.text("EARNEST_SECRET_KEYS")
    if text is None:
        raise SettingError("EARNEST_SECRET_KEYS", f"is not set; it must be {right}")
    keys = tuple(_secret_key(part.strip()) for part in text.split(","))
    for number, key in enumerate(keys, start=1):
        if key is None:
            raise SettingError("EARNEST_SECRET_KEYS", f"has a wrong key at place {number}; it must be {right}")
    return tuple(key for key in keys if key is not None)


def _secret_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    # One byte over and over is what a placeholder looks like, all zeros above all: chance never makes it.
    return key if len(key) == SECRET_KEY_BYTES and len(set(key)) > 1 else None


def _payment_provider(read: Reader, *, sandbox: bool) -> PaymentProvider:
    known = " or ".join(PaymentProvider)
    text = read.text("EARNEST_PAYMENT_PROVIDER")
    if text is None:
        raise SettingError("EARNEST_PAYMENT_PROVIDER", f"is not set; it must be {known}")
    if text not in set(PaymentProvider):
        raise SettingError("EARNEST_PAYMENT_PROVIDER", f"is {text!r}; it must be {known}")
    if text == PaymentProvider.SANDBOX and not sandbox:
        raise SettingError("EARNEST_PAYMENT_PROVIDER", "is sandbox, which moves no money; it needs EARNEST_SANDBOX=on")
    return PaymentProvider(text)


def _allowed_origins(read: Reader) -> frozenset[str]:
    """As browsers write origins: in lower case, without the port that the scheme has anyway."""
    variable = "EARNEST_ALLOWED_ORIGINS"
    text = read.text(variable)
    return frozenset(_origin(variable, one.strip()) for one in text.split(",")) if text is not None else frozenset()


def _origin(variable: str, text: str) -> str:
    right = "it must be comma-separated origins such as https://app.example.com or http://localhost:5173"
    parts = split(text.lower())
    if parts is None or not parts.hostname or not text.isascii() or f"{parts.scheme}://{parts.netloc}" != text.lower():
        raise SettingError(variable, f"has {text!r}; {right}")
    if "@" in parts.netloc or "*" in parts.netloc:
        raise SettingError(variable, f"has {text!r}, but each origin has to be named; {right}")
    return text.lower().removesuffix({"http": ":80", "https": ":443"}.get(parts.scheme, "/"))


def _webhook_reach(read: Reader) -> Reach:
    variable = "EARNEST_WEBHOOK_ALLOW_PRIVATE"
    text = read.text(variable)
    if text is not None and text.lower() == Reach.LOOPBACK:
        return Reach.LOOPBACK
    try:
        return Reach.PRIVATE if read.switch(variable, default=False) else Reach.PUBLIC
    except SettingError:
        raise SettingError(variable, f"is {text!r}; it must be off, loopback or on") from None


def _metrics_token(read: Reader) -> str | None:
    token = read.text("EARNEST_METRICS_TOKEN")
    if token is not None and not (
        token.isascii() and token.isprintable() and len(token) >= METRICS_TOKEN_CHARACTERS_MIN
    ):
        raise SettingError(
            "EARNEST_METRICS_TOKEN",
            f"is too weak or not plain ASCII; it must have at least {METRICS_TOKEN_CHARACTERS_MIN} characters of chance",
        )
    return token


def _milestone_url(read: Reader) -> str | None:
    variable = "EARNEST_MILESTONE_URL"
    text = read.url(variable, schemes=("https", "http"))
    if text is not None and "{milestoneId}" not in text:
        raise SettingError(variable, "names no milestone; it must contain {milestoneId}")
    return text


def _public_url(read: Reader) -> str | None:
    variable = "EARNEST_PUBLIC_URL"
    text = read.url(variable, schemes=("https", "http"))
    parts = split(text) if text is not None else None
    if text is None or parts is None:
        return None
    if not parts.hostname or "@" in parts.netloc or "?" in text or "#" in text or not _is_plain(text):
        raise SettingError(variable, "must be an address without a question mark, such as https://escrow.example.com")
    return text.rstrip("/")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _rate(read: Reader) -> float | None:
    variable = "EARNEST_RATE"
    text = read.text(variable)
    if text is None:
        return POINTS_PER_SECOND
    if text.lower() == "off":
        return None
    points = whole_number(text, POINTS_MIN, POINTS_MAX)
    if points is None:
        right = f"a whole number of points a second from {POINTS_MIN} to {POINTS_MAX}, or off"
        raise SettingError(variable, f"is {shortened(text)}; it must be {right}")
    return float(points)


def _documents(read: Reader) -> bool:
    variable = "EARNEST_DOCUMENTS"
    text = (read.text(variable) or "any").lower()
    if text not in ("any", "registered"):
        raise SettingError(variable, f"is {text!r}; it must be any or registered")
    return text == "registered"


def _identity(read: Reader) -> IdentityProvider | None:
    """All or nothing: who forgot one of the three must not believe that tokens are checked against it."""
    names = ("EARNEST_JWKS_URL", "EARNEST_JWT_ISSUER", "EARNEST_JWT_AUDIENCE")
    values = [read.text(name) for name in names]
    if values == [None, None, None]:
        return None
    for name, value in zip(names, values, strict=True):
        if value is None:
            raise SettingError(name, f"is not set; {', '.join(names)} are set together or not at all")
    url, issuer, audience = (value or "" for value in values)
    parts = split(url)
    is_here = parts is not None and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts is None or not parts.hostname or not (parts.scheme == "https" or is_here):
        raise SettingError(
            "EARNEST_JWKS_URL", "must begin with https:// (or be on this machine): keys must not be forged"
        )
    return IdentityProvider(
        jwks_url=url,
        issuer=issuer,
        audience=audience,
        account_claim=read.text("EARNEST_JWT_ACCOUNT_CLAIM") or "earnest_account",
        person_claim=read.text("EARNEST_JWT_PERSON_CLAIM") or "sub",
        scope_claim=read.text("EARNEST_JWT_SCOPE_CLAIM") or "scope",
    )
