"""Names why the domain refuses, more exactly than its codes do: what pages say in their reader's language.

A code tells a program what to do about a refusal; a cause tells which sentence it is. With the `details` beside it a sentence can
be made in any language. Refusals without a cause are said by their code and their message alone.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Which sentence a refusal is, and which of the refusal's `details` that sentence has: its `values`."""

    values: tuple[str, ...]

    def __new__(cls, name: str, *values: str) -> Cause:
        made = str.__new__(cls, name)
        made._value_ = name
        made.values = values
        return made

    # Who may
    ONLY_SOME = "ONLY_SOME", "only"
    ROLE = "ROLE", "role"
    SCOPE = "SCOPE", "scope"
    OWN_ACCOUNT_DISABLED = "OWN_ACCOUNT_DISABLED"
    OTHER_ACCOUNT_DISABLED = "OTHER_ACCOUNT_DISABLED"
    IS_PARTY = "IS_PARTY"
    SHARES_MEMBER = "SHARES_MEMBER"
    NO_MEDIATOR = "NO_MEDIATOR"

    # Whose turn it is
    OWN_TURN = "OWN_TURN"
    OTHERS_TURN = "OTHERS_TURN", "side"
    ONLY_AUTHOR = "ONLY_AUTHOR", "side"
    FOR_OTHER_SIDE = "FOR_OTHER_SIDE", "side"

    # What is so
    CONTRACT_STATE = "CONTRACT_STATE", "contractState", "needs"
    MILESTONE_STATE = "MILESTONE_STATE", "milestoneState", "needs"
    ONLY_PLANNED = "ONLY_PLANNED", "milestoneState"
    BEFORE_ITS_TURN = "BEFORE_ITS_TURN"
    ON_HOLD = "ON_HOLD", "hold"
    FROZEN = "FROZEN"
    DISPUTE_STATE = "DISPUTE_STATE", "state", "needs"
    REFUND_STATE = "REFUND_STATE", "state"
    CHANGE_REQUEST_STATE = "CHANGE_REQUEST_STATE", "state"
    REVERSAL_STATE = "REVERSAL_STATE"
    ORDER_IS_KNOWN = "ORDER_IS_KNOWN"
    MADE_BY_ENDING = "MADE_BY_ENDING"
    NO_OWN_OFFER = "NO_OWN_OFFER"
    NO_OFFER = "NO_OFFER"
    OTHER_OFFER = "OTHER_OFFER", "current"
    OTHER_VERSION = "OTHER_VERSION"
    OTHER_SUM = "OTHER_SUM", "current"

    # What is being ended
    NOT_ENDING = "NOT_ENDING"
    ENDING_WENT_ON = "ENDING_WENT_ON"
    ENDING_ALREADY = "ENDING_ALREADY"
    BEING_ENDED = "BEING_ENDED"

    # What is paid for, and out
    FUND_EVERYTHING = "FUND_EVERYTHING"
    DEPOSIT_ON_ITS_WAY = "DEPOSIT_ON_ITS_WAY"
    NOTHING_PLANNED = "NOTHING_PLANNED"
    OTHER_FIRST = "OTHER_FIRST", "position"
    OTHER_UNDER_WAY = "OTHER_UNDER_WAY", "position"
    BARRED = "BARRED", "barredUntil"
    HELD_TOO_LONG = "HELD_TOO_LONG"
    PAYEE_UNKNOWN = "PAYEE_UNKNOWN"
    NOTHING_PAYABLE = "NOTHING_PAYABLE"
    MORE_THAN_PAYABLE = "MORE_THAN_PAYABLE", "payable"
    MORE_THAN_HELD = "MORE_THAN_HELD", "held"
    NAME_THE_SUM = "NAME_THE_SUM", "held"
    CHARGE_LIMITS = "CHARGE_LIMITS", "minimum", "maximum", "charge"

    # What somebody has written
    EMPTY = "EMPTY"
    TOO_LONG = "TOO_LONG", "most", "given"
    TOO_MANY = "TOO_MANY", "most", "given"
    TOO_FEW = "TOO_FEW"
    CHARACTERS = "CHARACTERS"
    NO_LINK = "NO_LINK"
    NO_SYSTEM = "NO_SYSTEM"
    NO_EXTERNAL_ID = "NO_EXTERNAL_ID", "most"
    NO_SHA256 = "NO_SHA256"
    NO_TIME_ZONE = "NO_TIME_ZONE"
    HOURS = "HOURS", "least", "most"
    YEAR = "YEAR"
    POSITION = "POSITION", "last"
    NOTHING_GIVEN = "NOTHING_GIVEN"
    NEEDED = "NEEDED"
    TWICE = "TWICE"
    NO_MORE = "NO_MORE", "most"
    NOT_BY_REQUEST = "NOT_BY_REQUEST"
    NO_CURRENCY = "NO_CURRENCY"
    OTHER_CURRENCY = "OTHER_CURRENCY", "currency"
    NO_AMOUNT = "NO_AMOUNT"
    DECIMALS = "DECIMALS", "currency", "decimals"
    ABOVE_ZERO = "ABOVE_ZERO"
    NOT_NEGATIVE = "NOT_NEGATIVE"
    AMOUNT_MAX = "AMOUNT_MAX", "most"

    # What somebody has written about accounts, keys and endpoints
    OPERATORS_SCOPE = "OPERATORS_SCOPE"
    NOT_IN_FUTURE = "NOT_IN_FUTURE"
    NEVER_ENDS = "NEVER_ENDS"
    SECONDS = "SECONDS", "least", "most"
    NO_ORIGIN = "NO_ORIGIN"
    NO_RETURN_URL = "NO_RETURN_URL"
    POINTS = "POINTS", "least", "most"
    BASIS_POINTS = "BASIS_POINTS", "most"
    NO_EVENT_TYPE = "NO_EVENT_TYPE"
    DAYS = "DAYS", "most"
    NO_URL = "NO_URL"
    NO_HTTPS = "NO_HTTPS"
    URL_CHARACTERS = "URL_CHARACTERS"
    URL_FRAGMENT = "URL_FRAGMENT"
    URL_CREDENTIALS = "URL_CREDENTIALS"
    URL_PORT = "URL_PORT"
    URL_HOST = "URL_HOST"
    URL_INSIDE = "URL_INSIDE"
