"""Is the other provider: escrow objects, wallets and withdrawals, asked by method, path and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

Json = dict[str, Any]

FEE: Final = Decimal("0.25")
"""What it keeps of each payment."""

DAY_SECONDS: Final = 86_400

RELEASED: Final = "released by itself"
"""What an escrow is once its money was in it for too long: it lies in the operator's wallet then."""


class LostAnswer(Exception):
    """The caller never hears what came of it."""


@dataclass(slots=True)
class Vault:
    """Its books. Time stands still unless somebody moves it; `loses` answers to so many calls, after they were carried out, and
    `cuts` off so many before they came."""

    release_after_days: int = 60
    now: int = 1_790_000_000
    loses: int = 0
    cuts: int = 0
    escrows: dict[str, Json] = field(default_factory=dict)
    wallets: dict[str, Json] = field(default_factory=dict)
    movements: list[Json] = field(default_factory=list)
    """What changed the operator's money: what lies in escrow, and its wallet."""
    made: dict[str, Json] = field(default_factory=dict)
    """Everything that bears a reference, by it."""
    news: list[Json] = field(default_factory=list)

    def advance(self, days: float) -> None:
        """Time passes; what has lain for too long releases itself to the operator's wallet."""
        self.now += int(days * DAY_SECONDS)
        for escrow in self.escrows.values():
            if escrow["status"] == "funded" and Decimal(escrow["left"]) and self.now >= escrow["releases_at"]:
                escrow |= {"status": RELEASED, "left": "0"}
                self._tell(escrow)

    async def call(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """One request: a status and an answer. Raises `LostAnswer`."""
        asked = body or {}
        if method == "POST" and self.cuts:
            self.cuts -= 1
            raise LostAnswer
        reference = asked.get("reference")
        if method == "POST" and reference in self.made:
            return 409, {"error": "this reference was used"}
        status, answer = self._answer(method, path.strip("/").split("/"), asked)
        if status == 201 and reference is not None:
            self.made[reference] = answer
        if method == "POST" and self.loses:
            self.loses -= 1
            raise LostAnswer
        return status, dict(answer)

    def _answer(self, method: str, path: list[str], asked: Json) -> tuple[int, Json]:
        doors: dict[tuple[str, str], Callable[[list[str], Json], tuple[int, Json]]] = {
            ("POST", "escrows"): self._open,
            ("POST", "fund"): self._fund,
            ("POST", "close"): self._close,
            ("POST", "refunds"): self._refund,
            ("POST", "releases"): self._release,
            ("POST", "wallets"): self._wallet,
            ("POST", "withdrawals"): self._withdraw,
            ("POST", "returns"): self._return,
        }
        if method == "GET":
            return self._told(path, asked)
        return doors[method, path[-1]](path, asked)

    def _told(self, path: list[str], asked: Json) -> tuple[int, Json]:
        match path:
            case ["by-reference"]:
                found = self.made.get(asked["reference"])
            case ["references"]:
                found = {"items": [one for one in self.made if one.startswith(asked["begins"])]}
            case ["escrows", name]:
                found = self.escrows.get(name)
            case ["wallets", name]:
                found = self.wallets.get(name)
            case ["news"]:
                heard, self.news = self.news, []
                found = {"items": heard}
            case _:
                found = {"items": [one for one in self.movements if one["at"] >= asked.get("since", 0)]}
        return (404, {}) if found is None else (200, found)

    def _open(self, _: list[str], asked: Json) -> tuple[int, Json]:
        name = f"esc-{len(self.escrows) + 1}"
        self.escrows[name] = {"id": name, "status": "open", "left": "0", "returned": "0", **asked}
        return 201, self.escrows[name]

    def _fund(self, path: list[str], asked: Json) -> tuple[int, Json]:
        escrow = self.escrows[path[1]]
        if escrow["status"] != "open":
            return 422, {"error": f"the escrow is {escrow['status']}"}
        good = asked["token"] == "good"
        escrow["status"] = "funded" if good else "refused"
        if good:
            escrow |= {"left": escrow["amount"], "releases_at": self.now + self.release_after_days * DAY_SECONDS}
            self._move("payment", escrow["amount"], escrow, fee=FEE)
        self._tell(escrow)
        return 200, escrow

    def _close(self, path: list[str], _: Json) -> tuple[int, Json]:
        escrow = self.escrows[path[1]]
        if escrow["status"] == "open":
            escrow["status"] = "closed"
        return 200, escrow

    def _refund(self, path: list[str], asked: Json) -> tuple[int, Json]:
        return self._leave(path[1], "refund", asked)

    def _release(self, path: list[str], asked: Json) -> tuple[int, Json]:
        wallet = self.wallets[asked["wallet"]]
        if not wallet["known"]:
            return 422, {"error": "nobody has said whose wallet it is"}
        status, answer = self._leave(path[1], "release", asked)
        if status == 201:
            wallet["balance"] = str(Decimal(wallet["balance"]) + Decimal(asked["amount"]))
        return status, answer

    def _leave(self, name: str, kind: str, asked: Json) -> tuple[int, Json]:
        """Money leaves an escrow: no more than is left in it."""
        escrow = self.escrows[name]
        left = Decimal(escrow["left"]) - Decimal(asked["amount"])
        if left < 0:
            return 422, {"error": "the escrow has less"}
        escrow["left"] = str(left)
        self._move(kind, f"-{asked['amount']}", asked | {"currency": escrow["currency"]})
        return 201, {"id": f"{kind}-{len(self.movements)}", "escrow": name, **asked}

    def _wallet(self, _: list[str], asked: Json) -> tuple[int, Json]:
        name = f"wal-{len(self.wallets) + 1}"
        self.wallets[name] = {"id": name, "balance": "0", "known": False, **asked}
        return 201, self.wallets[name]

    def _withdraw(self, path: list[str], asked: Json) -> tuple[int, Json]:
        wallet = self.wallets[path[1]]
        if Decimal(wallet["balance"]) < Decimal(asked["amount"]):
            return 422, {"error": "the wallet has less"}
        wallet["balance"] = str(Decimal(wallet["balance"]) - Decimal(asked["amount"]))
        return 201, {"id": f"withdrawal-{len(self.made)}", "status": "sent", **asked}

    def _return(self, path: list[str], asked: Json) -> tuple[int, Json]:
        wallet, escrow = self.wallets[path[1]], self.escrows[asked["escrow"]]
        if Decimal(wallet["balance"]) < Decimal(asked["amount"]):
            return 422, {"error": "the wallet has less"}
        wallet["balance"] = str(Decimal(wallet["balance"]) - Decimal(asked["amount"]))
        escrow["left"] = str(Decimal(escrow["left"]) + Decimal(asked["amount"]))
        self._move("return", asked["amount"], asked | {"currency": escrow["currency"]})
        return 201, {"id": f"return-{len(self.movements)}", **asked}

    def charge_back(self, name: str) -> None:
        """The payer's bank takes an escrow's money back."""
        escrow = self.escrows[name]
        escrow["chargeback"] = "open"
        self._move("chargeback", f"-{escrow['amount']}", escrow)
        self._tell(escrow)

    def decide(self, name: str, outcome: str) -> None:
        """The bank has decided: `won` brings the money again, `lost` doesn't."""
        escrow = self.escrows[name]
        escrow["chargeback"] = outcome
        if outcome == "won":
            self._move("chargeback", escrow["amount"], escrow)
        self._tell(escrow)

    def introduce(self, name: str) -> None:
        """Somebody says whose wallet it is, on the provider's page."""
        self.wallets[name]["known"] = True
        self.news.append({"wallet": name})

    def bounce(self, reference: str) -> None:
        """A withdrawal comes back to its wallet after it was sent."""
        withdrawal = self.made[reference]
        withdrawal["status"] = "bounced"
        wallet = self.wallets[withdrawal["wallet"]]
        wallet["balance"] = str(Decimal(wallet["balance"]) + Decimal(withdrawal["amount"]))
        self.news.append({"reference": reference})

    def balance(self) -> Decimal:
        """The operator's money: what lies in escrow and what its fees left of it."""
        return sum((Decimal(one["amount"]) - Decimal(one["fee"]) for one in self.movements), Decimal(0))

    def _move(self, kind: str, amount: str, asked: Json, *, fee: Decimal = Decimal(0)) -> None:
        told = {"amount": amount, "fee": str(fee), "currency": asked["currency"], "reference": asked["reference"]}
        known = {"id": f"mov-{len(self.movements) + 1}", "kind": kind, "at": self.now, "group": asked.get("group")}
        self.movements.append(known | told)

    def _tell(self, escrow: Json) -> None:
        self.news.append({"reference": escrow["reference"]})
