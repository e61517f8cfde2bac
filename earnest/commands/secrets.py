"""Tell with which of EARNEST_SECRET_KEYS the secrets of webhook endpoints are encrypted, or encrypt them anew."""

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webhooks.request.renewal import Standing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Whether to change anything."""
    parser.add_argument("--renew", action="store_true", help="encrypt those under older keys under the first one")


def run(args: argparse.Namespace) -> int:
    """The code is 1 if a secret is there that none of the keys opens: what it signed for can't be sent."""
    standing = asyncio.run(apply(renew=args.renew))
    verb = "were encrypted anew" if args.renew else "are under older keys"
    print(f"{standing.current} secrets are under the first key, {standing.older} {verb}.")
    for endpoint_id in standing.unreadable:
        print(f"earnest: no key of EARNEST_SECRET_KEYS opens a secret of {endpoint_id}", file=sys.stderr)
    return 1 if standing.unreadable else 0


async def apply(*, renew: bool) -> "Standing":
    """Look, and encrypt anew if asked to, in the deployment's database."""
    from earnest.run.embedded import deployment
    from escrow import database
    from webhooks.request import renewal, secrets

    async with deployment() as settings:
        secrets.use(settings.secret_keys)
        await database.connect(settings.database_url)
        try:
            return await renewal.survey(renew=renew)
        finally:
            await database.disconnect()
