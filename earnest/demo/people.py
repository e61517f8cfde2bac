"""Makes the demo's people with their keys, and plays the website project from start to end.

`load` is what `earnest up` does in its sandbox; `play` is `earnest demo`. Only the operator's key is made past the API,
because every other one takes a key to make.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from earnest.api_client import Api, Refused
from earnest.demo import books
from earnest.demo.card_payments import CardPayments
from earnest.demo.mailbox import open_mailbox
from earnest.demo.stories import STORIES
from earnest.demo.story import Say, Story
from earnest.demo.timeline import Arrived, Event, day, line
from earnest.demo.website import Website
from earnest.engines.processes import read_private, write_private
from earnest.operator import make_operator_key
from earnest.run.embedded import DIRECTORY
from earnest.run.refusing import CannotStart
from escrow.access import Scope

KEYS_FILE: Final = "demo-keys.json"
TOLD_FILE: Final = "demo-told"
"""Names the client whose project was told as far as a start tells it."""

PARTY_SCOPES: Final = (Scope.CONTRACTS_READ, Scope.CONTRACTS_WRITE, Scope.MONEY_WRITE, Scope.WEBHOOKS_MANAGE)
MEDIATOR_SCOPES: Final = (Scope.CONTRACTS_READ, Scope.DISPUTES_DECIDE)

CLIENT_FEE_BASIS_POINTS: Final = 300
REVIEW_DAYS: Final = 2
"""The review window of the contract that is played, the shortest there may be: the test clock moves for all contracts, and
the one that waits for whoever tries the API should go on waiting."""

FREELANCER_FEE_BASIS_POINTS: Final = 1000

LINK_SESSION_SECONDS: Final = 12 * 3600
"""How long the sessions last that a start's links open: a day of trying things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account of the demo and a key that acts for it."""

    account: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everybody in the demo, and where they are let in."""

    url: str
    operator: Person
    client: Person
    freelancer: Person
    mediator: Person

    def by_role(self) -> dict[str, Person]:
        """Everybody by role, in the order in which one wants to try them."""
        return {
            "client": self.client,
            "freelancer": self.freelancer,
            "mediator": self.mediator,
            "operator": self.operator,
        }

    def apis(self) -> dict[str, Api]:
        """The API for each of them, by role."""
        return {role: Api(self.url, person.key) for role, person in self.by_role().items()}


async def load(url: str, *, database_url: str, directory: Path) -> People:
    """The people whose keys stand in `directory`, made if none of it lets anybody in; and a contract in the middle of its work.

    Safe to call at every start: what is there is left as it is.
    """
    path = directory / KEYS_FILE
    people = read_keys(path)
    if people is None or not await _lets_in(url, people):
        people = await make_people(url, await make_operator_key(database_url, name="Demo"))
    people = replace(people, url=url)
    write_private(path, json.dumps(asdict(people), indent=2) + "\n")
    await _tell_once(people, directory / TOLD_FILE)
    return people


async def _tell_once(people: People, note: Path) -> None:
    """The project's first half, up to work that waits for the client; on a contract of its own, if a start that was broken off
    left another one half told."""
    if _noted(note) == people.client.account:
        return
    client, freelancer = Api(people.url, people.client.key), Api(people.url, people.freelancer.key)
    if not await _was_told(client):
        story = Website(client=client, freelancer=freelancer, say=lambda _: None, show=lambda _: None)
        await story.first_half(people.client.account, people.freelancer.account)
    write_private(note, f"{people.client.account}\n")


def _noted(note: Path) -> str | None:
    try:
        return read_private(note).strip()
    except FileNotFoundError:
        return None


async def _was_told(client: Api) -> bool:
    """Whether work was handed in, with which that half ends: former releases noted nothing."""
    document = (
        "query Told { contracts(orderBy: OLDEST) { edges { node { submissions(first: 1) { edges { cursor } } } } } }"
    )
    contracts = (await client.ask(document))["contracts"]["edges"]
    return any(contract["node"]["submissions"]["edges"] for contract in contracts)


async def console_links(people: People, *, explorer: bool = False) -> list[str]:
    """For each party a fresh link that opens the console signed in as it, to look at side by side; one for the operator, who
    moves the test clock; and with an `explorer` one that opens that as the client."""
    roles = {"client": people.client, "freelancer": people.freelancer, "operator": people.operator}
    links = [f"console    as the {role}: {await _link(Api(people.url, one.key))}" for role, one in roles.items()]
    if explorer:
        _, _, code = (await _link(Api(people.url, people.client.key))).partition("#")
        links.append(f"explorer   as the client: {people.url}/graphql#{code}")
    return links


async def _link(api: Api) -> str:
    scopes = (await api.ask("query Mine { viewer { scopes } }"))["viewer"]["scopes"]
    made = await api.do("createSessionLink", "url", scopes=scopes, lifetimeSeconds=LINK_SESSION_SECONDS)
    return str(made["url"])


def demo_account(role: str) -> str:
    """The account of one of the people whose keys stand in this folder's `.earnest/`; refuses where there are none."""
    people = read_keys(Path.cwd() / DIRECTORY / KEYS_FILE)
    if people is None:
        raise CannotStart(f"There is no {DIRECTORY}/{KEYS_FILE} here: the demo's people come with `make run`")
    return people.by_role()[role].account


async def _lets_in(url: str, people: People) -> bool:
    """Whether the keys are keys of this deployment, and not of one whose data is gone."""
    try:
        await Api(url, people.client.key).ask("query Who { viewer { accountId } }")
    except Refused as refusal:
        if refusal.code == "UNAUTHENTICATED":
            return False
        raise
    return True


def read_keys(path: Path) -> People | None:
    """The people of a file that `load` wrote, or None; refuses with `CannotStart` a file that is damaged."""
    try:
        found: dict[str, Any] = json.loads(read_private(path))
        url = found.pop("url")
        return People(url=url, **{role: Person(**person) for role, person in found.items()})
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotStart(f"the keys can't be read from {path}: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise CannotStart(f"{path} is damaged: move it away, and the next start makes new keys") from None


async def make_people(url: str, operator_key: str) -> People:
    """A client, a freelancer and a mediator, each with a key; and fees, so that the books have something to show.

    Whose account was made by a start that was broken off, before the keys were written, gets another key.
    """
    api = Api(url, operator_key)
    viewer = (await api.ask("query Who { viewer { accountId } }"))["viewer"]
    operator = Person(account=viewer["accountId"], key=operator_key)
    client = await _open_account(api, "Harbour Bakery", "COMPANY", PARTY_SCOPES)
    freelancer = await _open_account(api, "Ines Duarte", "INDIVIDUAL", PARTY_SCOPES)
    mediator = await _open_account(api, "Fair Minds", "AGENCY", MEDIATOR_SCOPES)
    await api.do("appointMediator", "account { id }", accountId=mediator.account)
    await api.do(
        "setFees",
        "fees { clientBasisPoints }",
        clientBasisPoints=CLIENT_FEE_BASIS_POINTS,
        freelancerBasisPoints=FREELANCER_FEE_BASIS_POINTS,
    )
    return People(url=url, operator=operator, client=client, freelancer=freelancer, mediator=mediator)


async def _open_account(operator: Api, name: str, kind: str, scopes: tuple[Scope, ...]) -> Person:
    opened = await operator.do_once(f"demo: {name}", "createAccount", "account { id }", name=name, type=kind)
    account_id = opened["account"]["id"]
    made = await operator.do(
        "createApiKey", "secret", accountId=account_id, name="Demo", scopes=[scope.name for scope in scopes]
    )
    return Person(account=account_id, key=made["secret"])


WEBSITE: Final = "website"
STRIPE: Final = "stripe"
"""The story that is told on the stand-in for Stripe, and nowhere else."""
STORY_NAMES: Final = (WEBSITE, *STORIES, STRIPE)


async def play(people: People, out: Callable[[str], None], *, bodies: bool = False, story: str = WEBSITE) -> str:
    """One of `STORY_NAMES` on a contract of its own, told line by line to `out`; answers with the contract's id.

    The day is told where it changes. Where the deployment sends webhooks to this machine, each event is shown when it came
    as one, and was checked. With `bodies` each event is shown as it was sealed, too.
    """
    names = {person.account: role for role, person in people.by_role().items()}
    today = ""

    def show(event: Event) -> None:
        nonlocal today
        if day(event) != today:
            today = day(event)
            out(f"      {today}")
        milestone_id, words = event["data"].get("milestoneId"), {t["field"]: t["value"] for t in event["texts"]}
        if milestone_id is not None and words.get("title"):
            names[milestone_id] = words["title"]
        out(line(event, names))
        if bodies:
            out(event["body"])

    async with open_mailbox(Api(people.url, people.client.key)) as mailbox:
        arrived = mailbox.arrived if mailbox is not None else None
        told = cast_of(people, story, say=lambda text: out(f"\n{text}"), show=show, arrived=arrived)
        await told.tell(people.client.account, people.freelancer.account)
        if mailbox is not None:
            out("\nEach of these events came as a webhook, too; its signature, its hash and its place were checked.")
    out(f"\nThe books of {told.contract_id}:")
    names[told.contract_id] = "contract"
    for text in books.lines(await books.read_transfers(told.client, told.contract_id), names):
        out(text)
    return told.contract_id


def cast_of(
    people: People, story: str, *, say: Say, show: Callable[[Event], None], arrived: Arrived | None = None
) -> Story:
    """The story of that name with these people in it."""
    who: dict[str, Any] = {**people.apis(), "say": say, "show": show, "arrived": arrived}
    if story == WEBSITE:
        return Website(review_days=REVIEW_DAYS, **who)
    return CardPayments(**who) if story == STRIPE else STORIES[story](**who)
