"""Settings: what is read, what is the default, and that every wrong value is refused by name."""

import base64
from datetime import timedelta

import pytest

from escrow.payments import provider_of
from escrow.settings import (
    POOL_CONNECTIONS_MAX,
    Compilation,
    IdentityProvider,
    LogFormat,
    LogLevel,
    PaymentProvider,
    Reach,
    SettingError,
    Settings,
    compilation,
    log_format,
    log_level,
    tortoise_config,
)

KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.urlsafe_b64encode(bytes([251, 255] * 16)).decode()

MINIMAL = {
    "DATABASE_URL": "postgres://user:hunter2@db:5432/earnest",
    "REDIS_URL": "redis://redis:6379/0",
    "EARNEST_SECRET_KEYS": KEY,
    "EARNEST_SANDBOX": "on",
    "EARNEST_PAYMENT_PROVIDER": "sandbox",
}


def test_the_required_variables_are_enough_and_the_rest_is_closed_by_default() -> None:
    settings = Settings.from_environment(MINIMAL)
    assert settings.secret_keys == (bytes(range(32)),)
    assert settings.payment_provider is PaymentProvider.SANDBOX
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.webhook_reach is Reach.PUBLIC
    assert settings.allowed_origins == frozenset()
    assert settings.read_url is None
    assert settings.believed_proxies == "127.0.0.1,::1"


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        MINIMAL
        | {
            "EARNEST_SECRET_KEYS": f"{KEY}, {OTHER_KEY}",
            "EARNEST_WEBHOOK_ALLOW_PRIVATE": "TRUE",
            "EARNEST_ALLOWED_ORIGINS": "https://App.example.com:443, http://localhost:5173,capacitor://localhost",
            "EARNEST_HOST": "0.0.0.0",  # noqa: S104 - the value a container would set
            "EARNEST_METRICS_TOKEN": "0123456789abcdef",
            "EARNEST_PUBLIC_URL": "https://escrow.example.com:8443/earnest/",
            "EARNEST_READ_URL": "postgres://reader:hunter3@standby/earnest",
            "FORWARDED_ALLOW_IPS": "10.0.0.7, 2001:db8::/32",
            "PORT": "9000",
        }
    )
    assert settings.secret_keys == (bytes(range(32)), bytes([251, 255] * 16))
    assert settings.webhook_reach is Reach.PRIVATE
    assert settings.read_url == "postgres://reader:hunter3@standby/earnest"
    assert "hunter3" not in repr(settings)
    assert settings.allowed_origins == {
        "https://app.example.com", "http://localhost:5173", "capacitor://localhost"
    }  # fmt: skip
    assert settings.public_url == "https://escrow.example.com:8443/earnest"
    assert settings.port == 9000
    assert settings.believed_proxies == "10.0.0.7, 2001:db8::/32"
    assert settings.metrics_token == "0123456789abcdef"


@pytest.mark.parametrize(
    ("variable", "value", "right"),
    [
        ("DATABASE_URL", "", "must be a URL such as postgres://"),
        ("DATABASE_URL", "mysql://db/earnest", "begins with postgres:// or postgresql://"),
        ("DATABASE_URL", "postgres://db:port/earnest", "begins with postgres://"),
        ("DATABASE_URL", "postgres://db:5432", "names no database"),
        ("REDIS_URL", "", "must be a URL such as redis://"),
        ("REDIS_URL", "redis", "begins with redis:// or rediss:// or unix://"),
        ("EARNEST_READ_URL", "mysql://db/earnest", "begins with postgres:// or postgresql://"),
        ("EARNEST_READ_URL", "postgres://standby:5432", "names no database"),
        ("EARNEST_SECRET_KEYS", "", "32 random bytes"),
        ("EARNEST_SECRET_KEYS", f"{KEY},{KEY[:-4]}", "at place 2"),
        ("EARNEST_SECRET_KEYS", "schlüssel", "at place 1"),
        ("EARNEST_SECRET_KEYS", base64.b64encode(bytes(32)).decode(), "at place 1"),
        ("EARNEST_SECRET_KEYS", f"{KEY},{base64.b64encode(b'k' * 32).decode()}", "at place 2"),
        ("EARNEST_SECRET_KEYS", f"{KEY},", "at place 2"),
        ("EARNEST_METRICS_TOKEN", "secret", "at least 16 characters"),
        ("EARNEST_METRICS_TOKEN", "schlüssel-schlüssel", "plain ASCII"),
        ("EARNEST_SANDBOX", "maybe", "must be on or off"),
        ("EARNEST_EXPLORER", "maybe", "must be on or off"),
        ("EARNEST_PAYMENT_PROVIDER", "", "must be sandbox"),
        ("EARNEST_PAYMENT_PROVIDER", "paypal", "must be sandbox"),
        ("EARNEST_SANDBOX_HOLD_DAYS", "0", "from 1 to"),
        ("EARNEST_SANDBOX_HOLD_DAYS", "ten", "from 1 to"),
        ("EARNEST_MILESTONE_URL", "https://app.example.com/milestones", "{milestoneId}"),
        ("FORWARDED_ALLOW_IPS", "nginx", "10.0.0.7,10.1.0.0/16"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.7,,10.0.0.8", "10.0.0.7,10.1.0.0/16"),
        ("FORWARDED_ALLOW_IPS", "10.1.2.3/16", "10.0.0.7,10.1.0.0/16"),
        ("EARNEST_RATE", "fast", "from 100 to 100000000, or off"),
        ("EARNEST_RATE", "99", "from 100 to 100000000, or off"),
        ("EARNEST_RATE", "-1", "from 100 to 100000000, or off"),
        ("EARNEST_DOCUMENTS", "mine", "must be any or registered"),
        ("EARNEST_MILESTONE_URL", "app.example.com/{milestoneId}", "begins with https://"),
        ("EARNEST_PUBLIC_URL", "escrow.example.com", "begins with https://"),
        ("EARNEST_PUBLIC_URL", "https://", "begins with https://"),
        ("EARNEST_PUBLIC_URL", "https://user@escrow.example.com", "such as https://escrow.example.com"),
        ("EARNEST_PUBLIC_URL", "https://escrow.example.com/?a=b", "such as https://escrow.example.com"),
        ("EARNEST_PUBLIC_URL", "https://escrow.example.com/#docs", "such as https://escrow.example.com"),
        ("EARNEST_PUBLIC_URL", "https://escrow.example.com/a b", "such as https://escrow.example.com"),
        ("EARNEST_PUBLIC_URL", "https://bücher.example", "such as https://escrow.example.com"),
        ("EARNEST_ALLOWED_ORIGINS", "*", "comma-separated origins such as https://app.example.com"),
        ("EARNEST_ALLOWED_ORIGINS", "null", "comma-separated origins"),
        ("EARNEST_ALLOWED_ORIGINS", "https://a.example,", "comma-separated origins"),
        ("EARNEST_ALLOWED_ORIGINS", "https://a.example/", "comma-separated origins"),
        ("EARNEST_ALLOWED_ORIGINS", "a.example", "comma-separated origins"),
        ("EARNEST_ALLOWED_ORIGINS", "https://*.example.com", "each origin has to be named"),
        ("EARNEST_ALLOWED_ORIGINS", "https://user@a.example", "each origin has to be named"),
        ("EARNEST_ALLOWED_ORIGINS", "https://bücher.example", "comma-separated origins"),
        ("EARNEST_WEBHOOK_ALLOW_PRIVATE", "2", "must be off, loopback or on"),
        ("EARNEST_CONNECTIONS_MAX", "0", "from 1 to 1000000"),
        ("EARNEST_CONNECTIONS_MAX", "many", "from 1 to 1000000"),
        ("EARNEST_CONNECTIONS_PER_ADDRESS_MAX", "-1", "from 1 to 1000000"),
        ("PORT", "http", "from 1 to 65535"),
        ("PORT", "0", "from 1 to 65535"),
        ("PORT", "65536", "from 1 to 65535"),
        ("PORT", "²", "from 1 to 65535"),
    ],
)
def test_a_wrong_value_is_refused_by_name(variable: str, value: str, right: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_environment(MINIMAL | {variable: value})
    assert refused.value.variable == variable
    assert str(refused.value).startswith(variable)
    assert right in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_sandbox_holds_money_for_ever_unless_it_is_told_for_how_many_days() -> None:
    usual = Settings.from_environment(MINIMAL)
    assert (usual.sandbox_hold_days, provider_of(usual).terms.hold_limit("USD")) == (None, None)
    told = Settings.from_environment(MINIMAL | {"EARNEST_SANDBOX_HOLD_DAYS": "60"})
    assert provider_of(told).terms.hold_limit("USD") == timedelta(days=60)


IDENTITY = {
    "EARNEST_JWKS_URL": "https://id.example.com/jwks",
    "EARNEST_JWT_ISSUER": "https://id.example.com/",
    "EARNEST_JWT_AUDIENCE": "earnest",
}


def test_an_identity_provider_is_named_whole_or_not_at_all() -> None:
    assert Settings.from_environment(MINIMAL).identity is None
    found = Settings.from_environment(MINIMAL | IDENTITY).identity
    assert found == IdentityProvider(
        jwks_url="https://id.example.com/jwks", issuer="https://id.example.com/", audience="earnest"
    )
    for forgotten in IDENTITY:
        with pytest.raises(SettingError, match=f"^{forgotten} is not set"):
            Settings.from_environment(MINIMAL | IDENTITY | {forgotten: " "})
    claims = {"EARNEST_JWT_ACCOUNT_CLAIM": "org", "EARNEST_JWT_PERSON_CLAIM": "email", "EARNEST_JWT_SCOPE_CLAIM": "scp"}
    named = Settings.from_environment(MINIMAL | IDENTITY | claims).identity
    assert named is not None
    assert (named.account_claim, named.person_claim, named.scope_claim) == ("org", "email", "scp")


@pytest.mark.parametrize(
    "url", ["http://id.example.com/jwks", "file:///etc/passwd", "https:///jwks", "id.example.com", "x:y"]
)
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    with pytest.raises(SettingError, match=r"^EARNEST_JWKS_URL must begin with https"):
        Settings.from_environment(MINIMAL | IDENTITY | {"EARNEST_JWKS_URL": url})
    here = Settings.from_environment(MINIMAL | IDENTITY | {"EARNEST_JWKS_URL": "http://127.0.0.1:9/jwks"})
    assert here.identity is not None


def test_log_lines_are_for_people_unless_json_is_asked_for() -> None:
    assert (log_format({}), log_format({"EARNEST_LOG_FORMAT": "json"})) == (LogFormat.TEXT, LogFormat.JSON)
    with pytest.raises(SettingError, match=r"^EARNEST_LOG_FORMAT is 'xml'; it must be text or json$"):
        log_format({"EARNEST_LOG_FORMAT": "xml"})


def test_lines_that_say_how_things_go_can_be_left_out() -> None:
    assert (log_level({}), log_level({"EARNEST_LOG_LEVEL": "warning"})) == (LogLevel.INFO, LogLevel.WARNING)
    with pytest.raises(SettingError, match=r"^EARNEST_LOG_LEVEL is 'debug'; it must be info or warning$"):
        log_level({"EARNEST_LOG_LEVEL": "debug"})


def test_the_sandbox_provider_needs_the_sandbox() -> None:
    with pytest.raises(SettingError, match="EARNEST_SANDBOX=on"):
        Settings.from_environment(MINIMAL | {"EARNEST_SANDBOX": "off"})


def test_secrets_do_not_show_in_a_log_line() -> None:
    settings = Settings.from_environment(MINIMAL | {"EARNEST_METRICS_TOKEN": "0123456789abcdef"})
    assert "hunter2" not in repr(settings)
    assert str(settings.secret_keys[0]) not in repr(settings)
    assert "0123456789abcdef" not in repr(settings)


def test_a_socket_folder_in_the_url_reaches_the_driver() -> None:
    credentials = tortoise_config("postgres://postgres:@/earnest?host=/tmp/somewhere")["connections"]["default"]
    assert credentials["credentials"]["host"] == "/tmp/somewhere"
    assert credentials["credentials"]["maxsize"] == POOL_CONNECTIONS_MAX


def test_the_url_decides_the_size_of_the_pool_when_it_says_one() -> None:
    connection = tortoise_config("postgresql://u:p@h/earnest?maxsize=3")["connections"]["default"]
    assert int(connection["credentials"]["maxsize"]) == 3


def test_whether_operations_are_compiled_is_read_on_its_own() -> None:
    assert (compilation({}), compilation({"EARNEST_COMPILED": "off"})) == (Compilation.ON, Compilation.OFF)
    with pytest.raises(SettingError, match=r"^EARNEST_COMPILED is 'no'; it must be on, eager, off$"):
        compilation({"EARNEST_COMPILED": "no"})
