"""Tell with which of EARNEST_SECRET_KEYS whatever is encrypted is, or encrypt it anew."""

import argparse
import asyncio
import sys
from contextlib import nullcontext
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of what is encrypted stands."""

    name: str
    owner: str
    """What a row that no key opens is said to belong to."""
    current: int
    older: int
    unreadable: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to change anything."""
    parser.add_argument("--renew", action="store_true", help="encrypt those under older keys under the first one")


def run(args: argparse.Namespace) -> int:
    """The code is 1 if something is there that none of the keys opens: what hangs on it can't be done."""
    found = asyncio.run(apply(renew=args.renew))
    verb = "were encrypted anew" if args.renew else "are under older keys"
    for kind in found:
        print(f"{kind.current} {kind.name} are under the first key, {kind.older} {verb}.")
        for owner in kind.unreadable:
            print(f"earnest: no key of EARNEST_SECRET_KEYS opens {kind.owner} {owner}", file=sys.stderr)
    return 1 if any(kind.unreadable for kind in found) else 0


async def apply(*, renew: bool) -> tuple[Kind, ...]:
    """Look, and encrypt anew if asked to, in the deployment's database."""
    from earnest.operator import connected
    from earnest.run.embedded import deployment
    from escrow import acts, vault

    async with deployment() as settings, connected(settings.database_url):
        vault.use(settings.secret_keys)
        async with acts.noted("RenewSecrets") if renew else nullcontext():
            return await survey(renew=renew)


async def survey(*, renew: bool) -> tuple[Kind, ...]:
    """The same in the database that this process is connected to, by the keys of its vault."""
    from connectors import sealed_secrets
    from escrow.payments import payer_actions, tokens_at_rest
    from webhooks.request import renewal

    secrets, tokens = await renewal.survey(renew=renew), await tokens_at_rest.survey(renew=renew)
    actions = await payer_actions.survey(renew=renew)
    coupled = await sealed_secrets.survey(renew=renew)
    return (
        Kind("secrets", "a secret of", secrets.current, secrets.older, secrets.unreadable),
        Kind("payment tokens", "the payment token of", tokens.current, tokens.older, tokens.unreadable),
        Kind("payers' actions", "what the payer has to do for", actions.current, actions.older, actions.unreadable),
        Kind("couplings' secrets", "the secrets of the coupling", coupled.current, coupled.older, coupled.unreadable),
    )
