"""Shows the books of one contract as the API tells them: every transfer, and the balance of each ledger account."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from earnest.api_client import Api, ApiError
from escrow.money import Money

_PAGE: Final = """
    query Books($id: ID!, $after: Cursor) {
      contract(id: $id) {
        transfers(first: 100, after: $after) {
          edges { node { debit credit amount { amount currency } } }
          pageInfo { hasNextPage endCursor }
        }
      }
    }
"""


async def read_transfers(api: Api, contract_id: str) -> list[dict[str, Any]]:
    """All transfers in order."""
    transfers: list[dict[str, Any]] = []
    cursor, more = None, True
    while more:
        page = (await api.ask(_PAGE, id=contract_id, after=cursor))["contract"]["transfers"]
        transfers += [edge["node"] for edge in page["edges"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return transfers


def lines(transfers: list[dict[str, Any]], names: dict[str, str]) -> list[str]:
    """The transfers, and credits less debits of every account, which sum to zero; refuses with `ApiError` if not.

    `names` tell what the identifiers in the accounts' names mean.
    """
    balances: Counter[tuple[str, str]] = Counter()
    told = []
    for transfer in transfers:
        amount = Money.from_wire(transfer["amount"])
        debit, credit = _named(transfer["debit"], names), _named(transfer["credit"], names)
        balances[debit, amount.currency] -= amount.minor
        balances[credit, amount.currency] += amount.minor
        told.append(f"{amount!s:>14}  {debit:<38} → {credit}")
    told += ["", "Credits less debits:"]
    told += [f"{Money(minor, currency)!s:>14}  {account}" for (account, currency), minor in sorted(balances.items())]
    for currency in sorted({currency for _, currency in balances}):
        total = sum(minor for (_, each), minor in balances.items() if each == currency)
        if total:
            raise ApiError(f"the books don't balance: {Money(total, currency)} too much")
        told.append(f"{Money(total, currency)!s:>14}  together")
    return told


def _named(account: str, names: dict[str, str]) -> str:
    return ":".join(names.get(part, part) for part in account.split(":"))
