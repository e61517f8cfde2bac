"""Run a GraphQL operation and print its answer: earnest api 'query { viewer { accountId } }'."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any, Final

from earnest import asking

STANDARD_INPUT: Final = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The operation, its variables, and as whom; by default as the demo's client where `earnest up` runs."""
    parser.add_argument("operation", help="the document; @FILE reads it from a file, - from the standard input")
    parser.add_argument(
        "--variable",
        "-v",
        action="append",
        default=[],
        type=variable,
        metavar="NAME=VALUE",
        help="a variable: JSON, or else text as it stands; may be repeated",
    )
    asking.add_arguments(parser)


def variable(text: str) -> tuple[str, Any]:
    """A name and a value, which is JSON if it reads as such."""
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"“{text}” is no variable such as id=ctr_… or first=10")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def run(args: argparse.Namespace) -> int:
    """Print the answer as it came, indented; the code is 1 if it has errors or refusals, or nobody answered."""
    from earnest.api_client import Api, ApiError

    try:
        answer = asyncio.run(Api(*asking.door(args)).answer(document(args.operation), dict(args.variable)))
    except ApiError as error:
        print(f"earnest: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer, indent=2, ensure_ascii=False))
    return 1 if is_refused(answer) else 0


def document(operation: str) -> str:
    """The text that was meant. Refuses with `CannotStart` a file that can't be read."""
    from earnest.run.refusing import CannotStart

    if operation != STANDARD_INPUT and not operation.startswith("@"):
        return operation
    try:
        if operation == STANDARD_INPUT:
            return sys.stdin.buffer.read().decode()
        return Path(operation[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        place = "the standard input" if operation == STANDARD_INPUT else operation[1:]
        raise CannotStart(f"the operation can't be read from {place}: {error}") from None


def is_refused(answer: dict[str, Any]) -> bool:
    """Whether it has errors, or a mutation's payload names refusals."""
    payloads = [one for one in (answer.get("data") or {}).values() if isinstance(one, dict)]
    return bool(answer.get("errors")) or any(payload.get("userErrors") for payload in payloads)
