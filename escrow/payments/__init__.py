"""Moves money in and out: the port to a payment provider, the providers behind it, and the orders that they carry out.

The domain only writes orders and hears reports; nothing here decides what an answer means for a contract.
"""

from escrow.payments.provider import Provider
from escrow.payments.sandbox import Sandbox
from escrow.settings import PaymentProvider


def provider_of(name: PaymentProvider) -> Provider:
    """The provider that a deployment chose."""
    match name:
        case PaymentProvider.SANDBOX:
            return Sandbox()
        case PaymentProvider.STRIPE:
            raise ValueError("orders don't know how to ask Stripe yet")
