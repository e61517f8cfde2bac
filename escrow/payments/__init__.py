"""Moves money in and out: the port to a payment provider, the providers behind it, and the orders that they carry out.

The domain only writes orders and hears reports; nothing here decides what an answer means for a contract.
"""

from datetime import timedelta

from escrow.payments.provider import Provider as Provider
from escrow.payments.sandbox import Sandbox
from escrow.payments.watched import Watched
from escrow.settings import PaymentProvider, Settings


def provider_of(settings: Settings) -> Provider:
    """The provider that a deployment chose, watched; the library of another one is not even imported."""
    return Watched(_chosen(settings))


def _chosen(settings: Settings) -> Provider:
    match settings.payment_provider:
        case PaymentProvider.SANDBOX:
            days = settings.sandbox_hold_days
            return Sandbox(hold_limit=timedelta(days=days) if days is not None else None)
        case PaymentProvider.STRIPE:
            from escrow.payments.stripe.adapter import Stripe

            assert settings.stripe is not None  # noqa: S101 - for the type checker: they are read with the provider's name
            return Stripe(settings.stripe)
