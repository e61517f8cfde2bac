"""Reads the bodies of webhooks by the models that datamodel-code-generator made, beside them and in their environment.

Prints how many there were of each type, what was released in USD, and how many were of no type that the models know.
"""

import json
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

from models import EventBody, MilestoneReleasedBody, OtherBody
from pydantic import ValidationError


def read(raw: bytes) -> EventBody | OtherBody:
    try:
        return EventBody.model_validate_json(raw)
    except ValidationError:
        return OtherBody.model_validate_json(raw)


def main() -> None:
    types: Counter[str] = Counter()
    others: Counter[str] = Counter()
    released = Decimal()
    with Path(sys.argv[1]).open("rb") as file:
        for raw in file:
            body = read(raw)
            if isinstance(body, OtherBody):
                others[body.type] += 1
                continue
            known = body.root
            types[known.type] += 1
            if isinstance(known, MilestoneReleasedBody) and known.data.event.data.amount.currency == "USD":
                released += Decimal(known.data.event.data.amount.amount)
    print(json.dumps({"types": types, "others": others, "released": str(released)}, sort_keys=True))


main()
