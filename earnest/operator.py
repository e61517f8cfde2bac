"""Runs a command as the operator on the deployment's database, and prints a refusal as one line.

Whoever may read `DATABASE_URL` is the operator, so its commands need no key, and can make the first one. A command's handler
is a coroutine of its arguments and the actor; what it answers goes to the output, what it only remarks to the error output.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from earnest.run.refusing import NO_ROOM, CannotStart
from escrow.access import Actor

OPERATORS_NAME = "Operator"
"""What the operator's account is called when its first key makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a handler has to say: `lines` are the answer, which a script may read, `notes` are for people."""

    lines: Sequence[str] = ()
    notes: Sequence[str] = ()


Handler = Callable[[argparse.Namespace, Actor], Awaitable[Answer]]


def run(handler: Handler, args: argparse.Namespace) -> int:
    """Run a handler as the operator and print its answer; a refusal is raised as `CannotStart`."""

    async def operate() -> Answer:
        async with operating() as operator:
            return await handler(args, operator)

    answer = asyncio.run(operate())
    for note in answer.notes:
        print(note, file=sys.stderr)
    for line in answer.lines:
        print(line)
    return 0


@asynccontextmanager
async def operating() -> AsyncIterator[Actor]:
    """The operator, with the deployment's database open; what the domain or the database refuses is one line."""
    from earnest.run.embedded import deployment
    from escrow import bell, vault
    from escrow.accounts import links
    from escrow.errors import DomainError

    async with deployment() as settings, connected(settings.database_url, pool_size=1):
        links.use(settings.public_url or settings.local_url)
        vault.use(settings.secret_keys)
        try:
            await bell.connect(settings.redis_url)
            yield await the_operator()
        except DomainError as refusal:
            raise CannotStart(f"{refusal.code}: {first_line(refusal)}{_place(refusal.field)}") from None
        finally:
            await bell.disconnect()


@asynccontextmanager
async def connected(database_url: str, *, pool_size: int | None = None, migrates: bool = False) -> AsyncIterator[None]:
    """The database open, for a command; what keeps it from answering is refused as `in_one_line` does, and so are tables of
    an earlier release in which something is missing, unless they are just what the command `migrates`."""
    from escrow import database

    with in_one_line():
        await database.connect(database_url, pool_size=pool_size)
        try:
            yield
        except Exception as error:
            if not migrates:
                await _refuse_earlier_tables(error)
            raise
        finally:
            await database.disconnect()


async def _refuse_earlier_tables(error: Exception) -> None:
    """Raise `CannotStart` if it is for want of `earnest migrate` that something isn't there."""
    import asyncpg

    from escrow import database, migrate
    from escrow.parts import Part

    missing = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError)
    if not isinstance(error, missing) or await database.fetch_value("SELECT to_regclass('events') IS NULL"):
        return
    if await migrate.pending(Part.BEFORE):
        raise CannotStart("the database's tables are an earlier release's: run `earnest migrate`") from None


@contextmanager
def in_one_line() -> Iterator[None]:
    """Refuse with `CannotStart` where the database is away, goes away meanwhile, lets nobody in, or has no tables; where our
    role may not do what is asked, nothing can be written, or somebody keeps a table from us.

    A traceback would end the command with 1, by which some of them say that they found something.
    """
    import asyncpg

    from escrow import database

    shut = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
    try:
        yield
    except asyncpg.UndefinedTableError:
        raise CannotStart("the database has no tables yet: run `earnest migrate`") from None
    except asyncpg.InsufficientPrivilegeError as error:
        lacks = "`earnest doctor` says what our role lacks; `earnest migrate` is for the role that owns the tables"
        raise CannotStart(f"the database does not let us: {first_line(error)}; {lacks}") from None
    except asyncpg.ReadOnlySQLTransactionError as error:
        primary = "DATABASE_URL must name the primary, and a role that may write"
        raise CannotStart(f"the database takes no writes: {first_line(error)}; {primary}") from None
    except asyncpg.LockNotAvailableError as error:
        holder = "end what holds it (pg_stat_activity), and begin again"
        raise CannotStart(f"a table is taken: {first_line(error)}; {holder}") from None
    except (*database.AWAY, *shut, asyncpg.InsufficientResourcesError) as error:
        if isinstance(error, OSError) and _is_ours(error):
            raise
        raise CannotStart(f"the database does not answer: {first_line(error)}") from None


def _is_ours(error: OSError) -> bool:
    """Whether it is about a file, or about whoever reads what we print, and not about the database."""
    return isinstance(error, BrokenPipeError) or error.filename is not None or error.errno in NO_ROOM


async def make_operator_key(database_url: str, *, name: str) -> str:
    """A new key of the operator, with every scope, for a process that has no database open; makes the operator if need be."""
    from escrow import database, ids, pipeline
    from escrow.access import Scope
    from escrow.accounts import commands, tokens

    await database.connect(database_url, pool_size=1)
    try:
        command = commands.CreateApiKey(
            account_id=await found_operator(),
            key_id=ids.new(ids.Kind.KEY),
            name=name,
            scopes=tuple(Scope),
            token=tokens.new(),
        )
        await pipeline.run(command, by=await the_operator())
        return command.token.text
    finally:
        await database.disconnect()


async def found_operator() -> str:
    """The id of the operator's account, which is made if the deployment has none yet."""
    from escrow import ids, pipeline
    from escrow.access import ActorKind
    from escrow.accounts import commands, queries
    from escrow.errors import InvalidState

    found = await queries.operator_id()
    if found is not None:
        return found
    creation = commands.CreateOperator(account_id=ids.new(ids.Kind.ACCOUNT), name=OPERATORS_NAME)
    try:
        return (await pipeline.run(creation, by=Actor(ActorKind.OPERATOR))).account.id
    except InvalidState:  # somebody else made it a moment ago
        return await found_operator()


async def the_operator() -> Actor:
    """The operator as the actor of commands, with all that a key of it could have."""
    from escrow.access import ActorKind, Scope
    from escrow.accounts import queries

    return Actor(ActorKind.OPERATOR, await queries.operator_id(), scopes=frozenset(Scope))


def first_line(error: Exception) -> str:
    """An error as one line, without a trailing newline or what follows it."""
    return (str(error) or type(error).__name__).partition("\n")[0]


def _place(field: str | None) -> str:
    return f" ({field})" if field else ""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Rows under a head, in columns; nothing at all reads as the head alone."""
    cells = [[str(cell) if cell is not None else "-" for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
