"""What is said of variables: all that is wrong at once, and names that nobody reads."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from earnest.doctor import own_webhook, variables
from earnest.doctor.findings import Grade
from escrow.settings import Settings
from tests.docs.product import ROOT
from tests.escrow.test_every_setting import VARIABLES
from tests.escrow.test_settings import MINIMAL


def test_what_is_right_is_fine() -> None:
    settings, bad, (found,) = variables.read(MINIMAL)
    assert (bad, found.grade) == (frozenset(), Grade.FINE)
    assert settings == Settings.from_environment(MINIMAL)


def test_every_setting_is_known() -> None:
    assert variables.known() >= set(VARIABLES)


def test_every_variable_of_the_page_for_operators_is_known() -> None:
    named = set(re.findall(r"^\| `(EARNEST_[A-Z_]+)`", (ROOT / "docs" / "operating.md").read_text(), re.MULTILINE))
    assert "EARNEST_LOG_LEVEL" in named
    assert "EARNEST_BACKUPS" in named
    assert named <= variables.known()


def test_all_that_is_wrong_is_told_at_once_and_the_rest_is_read() -> None:
    wrong = {
        "DATABASE_URL": "postgres://user:hunter2@db",
        "PORT": "http",
        "EARNEST_JWT_ISSUER": "me",
        "EARNEST_SANDBOX": "maybe",
    }
    settings, bad, found = variables.read(MINIMAL | wrong | {"EARNEST_RATE": "500"})
    assert bad == {"DATABASE_URL", "PORT", "EARNEST_JWKS_URL", "EARNEST_SANDBOX"}
    assert {finding.grade for finding in found} == {Grade.WRONG}
    assert len(found) == 4
    assert all(finding.remedy.startswith("set ") for finding in found)
    assert "hunter2" not in str(found)
    assert (settings.points_per_second, settings.redis_url) == (500.0, MINIMAL["REDIS_URL"])


def test_what_opentelemetry_could_not_send_is_told_too() -> None:
    wrong = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_METRIC_EXPORT_INTERVAL": "soon"}
    _, bad, found = variables.read(MINIMAL | wrong | {"OTEL_SERVICE_NAME": "mine"})
    assert bad == set(wrong)
    assert {finding.grade for finding in found} == {Grade.WRONG}


def test_a_slip_of_the_pen_is_told_with_what_was_meant() -> None:
    _, bad, (slip, nonsense) = variables.read(MINIMAL | {"EARNEST_PUBLIC_ULR": "x", "EARNEST_ZZZ": "x", "OTHERS": "x"})
    assert (slip.grade, slip.remedy) == (Grade.ODD, "did you mean EARNEST_PUBLIC_URL?")
    assert nonsense.what == "EARNEST_ZZZ means nothing to Earnest"
    assert bad == frozenset()


def test_webhooks_into_ones_own_network_are_odd_where_money_is_real() -> None:
    real = MINIMAL | {
        "EARNEST_SANDBOX": "off",
        "EARNEST_PAYMENT_PROVIDER": "stripe",
        "EARNEST_STRIPE_KEY": "rk_live_1",
        "EARNEST_STRIPE_WEBHOOK_SECRET": "whsec_1",
        "EARNEST_STRIPE_RETURN_URL": "https://app.example.com",
    }
    assert own_webhook.reach(Settings.from_environment(real)) == []
    (found,) = own_webhook.reach(Settings.from_environment(real | {"EARNEST_WEBHOOK_ALLOW_PRIVATE": "on"}))
    assert found.grade is Grade.ODD
    assert own_webhook.reach(Settings.from_environment(MINIMAL | {"EARNEST_WEBHOOK_ALLOW_PRIVATE": "on"})) == []


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=20)))
def test_whatever_is_set_there_are_settings_and_a_finding_for_each_wrong_one(environ: dict[str, str]) -> None:
    _, bad, found = variables.read(environ)
    assert len([finding for finding in found if finding.grade is Grade.WRONG]) == len(bad)
