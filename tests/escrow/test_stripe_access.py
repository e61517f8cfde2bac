"""What a deployment says about its Stripe account: what is missing is named, and no secret is repeated."""

from __future__ import annotations

import subprocess
import sys

import pytest

from escrow.settings import PaymentProvider, SettingError, Settings
from escrow.stripe_access import PayoutsBy
from tests.escrow.test_settings import KEY
from tests.patience import PATIENCE_SECONDS

MINIMAL = {
    "DATABASE_URL": "postgres://user:hunter2@db:5432/earnest",
    "REDIS_URL": "redis://redis:6379/0",
    "EARNEST_SECRET_KEYS": KEY,
    "EARNEST_PAYMENT_PROVIDER": "stripe",
    "EARNEST_STRIPE_KEY": "rk_live_0123456789",
    "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_0123456789",
    "EARNEST_STRIPE_RETURN_URL": "https://app.example.com/paid",
}


def test_a_browser_explores_where_money_is_real_only_if_that_is_asked_for() -> None:
    sandbox = MINIMAL | {"EARNEST_SANDBOX": "on"}
    assert Settings.from_environment(sandbox).explorer
    assert not Settings.from_environment(sandbox | {"EARNEST_EXPLORER": "off"}).explorer
    assert not Settings.from_environment(MINIMAL).explorer
    assert Settings.from_environment(MINIMAL | {"EARNEST_EXPLORER": "on"}).explorer


def test_stripe_needs_no_sandbox_and_has_the_strictest_terms_by_default() -> None:
    settings = Settings.from_environment(MINIMAL)
    assert settings.payment_provider is PaymentProvider.STRIPE
    assert not settings.sandbox
    assert settings.stripe is not None
    assert settings.stripe.key == "rk_live_0123456789"
    assert (settings.stripe.country, settings.stripe.payouts_by) == (None, PayoutsBy.ORDER)
    assert settings.stripe.base_url is None


def test_every_variable_of_stripe_is_read() -> None:
    more = {
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_a, whsec_b",
        "EARNEST_STRIPE_COUNTRY": "de",
        "EARNEST_STRIPE_ACCOUNT": "acct_1Abc",
        "EARNEST_STRIPE_PAYOUTS": "schedule",
        "EARNEST_STRIPE_URL": "http://127.0.0.1:12111/",
    }
    settings = Settings.from_environment(MINIMAL | more)
    assert settings.stripe is not None
    assert settings.stripe.webhook_secrets == ("whsec_a", "whsec_b")
    assert (settings.stripe.country, settings.stripe.account) == ("DE", "acct_1Abc")
    assert settings.stripe.payouts_by is PayoutsBy.SCHEDULE
    assert settings.stripe.base_url == "http://127.0.0.1:12111"


@pytest.mark.parametrize(
    "variable", ["EARNEST_STRIPE_KEY", "EARNEST_STRIPE_WEBHOOK_SECRET", "EARNEST_STRIPE_RETURN_URL"]
)
def test_what_is_missing_is_named_and_nothing_starts(variable: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable} is not set; it must be "):
        Settings.from_environment({name: value for name, value in MINIMAL.items() if name != variable})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("EARNEST_STRIPE_KEY", "pk_live_0123456789"),
        ("EARNEST_STRIPE_KEY", "rk_live_..."),
        ("EARNEST_STRIPE_KEY", "rk_live_01234\n56789"),
        ("EARNEST_STRIPE_KEY", "rk_live_01234 56789"),
        ("EARNEST_STRIPE_WEBHOOK_SECRET", "whsec_..."),
        ("EARNEST_STRIPE_WEBHOOK_SECRET", "whsec_a b"),
        ("EARNEST_STRIPE_WEBHOOK_SECRET", "sk_live_0123456789"),
        ("EARNEST_STRIPE_WEBHOOK_SECRET", "whsec_a,secretword"),
        ("EARNEST_STRIPE_RETURN_URL", "app.example.com"),
        ("EARNEST_STRIPE_COUNTRY", "Germany"),
        ("EARNEST_STRIPE_ACCOUNT", "1Abc"),
        ("EARNEST_STRIPE_PAYOUTS", "sometimes"),
        ("EARNEST_STRIPE_URL", "http://evil.example.com"),
        ("EARNEST_STRIPE_URL", "https://api.stripe.com.evil.example"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_no_secret_is_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable} ") as refused:
        Settings.from_environment(MINIMAL | {variable: value})
    if variable in ("EARNEST_STRIPE_KEY", "EARNEST_STRIPE_WEBHOOK_SECRET"):
        assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "prefix"), [("EARNEST_STRIPE_KEY", "rk_"), ("EARNEST_STRIPE_WEBHOOK_SECRET", "whsec_")]
)
def test_the_beginning_of_a_secret_is_none(variable: str, prefix: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable} "):
        Settings.from_environment(MINIMAL | {variable: prefix})


def test_settings_show_neither_the_key_nor_the_secret() -> None:
    settings = Settings.from_environment(MINIMAL)
    for shown in (repr(settings), repr(settings.stripe), str(settings.stripe)):
        assert "rk_live_0123456789" not in shown
        assert "whsec_0123456789" not in shown


def test_who_has_another_provider_reads_nothing_of_stripe_and_does_not_import_its_library() -> None:
    other = MINIMAL | {"EARNEST_PAYMENT_PROVIDER": "sandbox", "EARNEST_SANDBOX": "on", "EARNEST_STRIPE_KEY": "nonsense"}
    assert Settings.from_environment(other).stripe is None
    code = "import sys, earnest.cli, workers.main, api.app, escrow.payments; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=PATIENCE_SECONDS).returncode == 0
