"""Facts about an account itself: opened, disabled, enabled, appointed as a mediator, given a rate."""

from __future__ import annotations

from typing import ClassVar

from escrow.access import AccountType
from escrow.agreement.events import Event, Text


class AccountCreated(Event):
    """The operator opened an account; the first account of a deployment is the operator's own."""

    type: ClassVar = "account.created"
    account_type: AccountType
    is_operator: bool
    name: Text


class AccountDisabled(Event):
    """The operator barred the account from new business; what is under way goes on."""

    type: ClassVar = "account.disabled"


class AccountEnabled(Event):
    """The operator let the account do business again."""

    type: ClassVar = "account.enabled"


class MediatorAppointed(Event):
    """The operator lets the account decide disputes."""

    type: ClassVar = "account.mediator_appointed"


class MediatorDismissed(Event):
    """The account decides no disputes any more."""

    type: ClassVar = "account.mediator_dismissed"


class RateSet(Event):
    """The operator said how much of the service each key of the account may use; null: what the deployment grants to all."""

    type: ClassVar = "account.rate_set"
    points_per_second: int | None
