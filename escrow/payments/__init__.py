"""Moves money in and out: the port to a payment provider, the providers behind it, and the orders that they carry out.

The domain only writes orders and hears reports; nothing here decides what an answer means for a contract.
"""

from escrow.payments.provider import Provider as Provider
from escrow.payments.sandbox import Sandbox
from escrow.settings import PaymentProvider, Settings


def provider_of(settings: Settings) -> Provider:
    """The provider that a deployment chose."""
    match settings.payment_provider:
        case PaymentProvider.SANDBOX:
            return Sandbox()
