"""Mutations on sessions: making one, or a link that opens one; opening a link; ending one."""

from __future__ import annotations

from datetime import timedelta

import strawberry

from escrow import ids
from escrow.access import Scope
from escrow.accounts import authentication, commands, links, queries, tokens
from escrow.accounts.tokens import Token
from escrow.errors import InvalidInput, InvalidState, NotFound
from escrow.ids import Kind
from escrow.pipeline import AccountOutcome
from schema.engine.fields import after, optional
from schema.mutations.running import Call, Payload, mutation, mutation_for_anybody
from schema.types.sessions import Session

WRONG_CODE = 50.0
"""Points for finding out that a code opens nothing, as for a key that is none."""

NONCE_CHARACTERS_MIN = 32
"""128 bits in hexadecimal digits."""
NONCE_CHARACTERS_MAX = 128


@strawberry.type(description="The session after the mutation.")
class SessionPayload(Payload):
    session: Session | None = after("The session")


@strawberry.type(description="The session and its token after the mutation.")
class CreateSessionPayload(Payload):
    session: Session | None = after("The session")
    token: str | None = optional(
        "What the browser sends as `Authorization: Bearer …`. Shown this once: null if an earlier call made the session."
    )


@strawberry.type(description="The session that waits, and the link that opens it, after the mutation.")
class CreateSessionLinkPayload(Payload):
    session: Session | None = after("The session, which waits for the link to be opened")
    url: str | None = optional(
        "The address that opens the console with the session, once and within ten minutes; the code stands behind the `#`, "
        "which a browser sends nowhere. Shown this once: null if an earlier call made the link."
    )


@strawberry.input(
    description="Whom a browser will act for, and within which bounds. All of it is within what this key may do."
)
class CreateSessionInput:
    scopes: list[Scope] = strawberry.field(description="What it may be used for; no more than this key.")
    account_id: strawberry.ID | None = optional(
        "The account that it acts for as an owner, within its scopes. Null for the member's, or for whoever asks."
    )
    member_id: strawberry.ID | None = optional("The member that it acts as. Null with `accountId` for an owner.")
    contract_ids: list[strawberry.ID] | None = optional(
        "The only contracts that it reaches, at most 100; null for all that this key reaches."
    )
    lifetime_seconds: int = strawberry.field(
        default=3600, description="How long it lasts, 60 to 43,200 seconds (12 hours)."
    )
    origins: list[str] = strawberry.field(
        default_factory=list,
        description="The origins of web pages that may use it, such as `https://app.example.com`, at most 10; the deployment's "
        "own always may.",
    )


@mutation(
    "Makes a session: a token for one person's browser, for some hours, limited further than the key that makes it. Its token "
    "is in this answer and nowhere else. It ends with the key, the member and the account, and makes nothing that outlives it. "
    "With any key for oneself; for others with an owner's, and with the operator's."
)
async def create_session(call: Call, given: CreateSessionInput) -> CreateSessionPayload:
    token = tokens.new(tokens.SESSION)
    outcome = await call.run(_creation(call, given, token, is_link=False))
    return CreateSessionPayload(session=_session(outcome), token=token.text if not outcome.replayed else None)


@strawberry.input(description="Whom a browser will act for once the link is opened, and within which bounds.")
class CreateSessionLinkInput(CreateSessionInput):
    pass


@mutation(
    "Makes a link for a person that opens the console with a session of these bounds, once and within ten minutes. The session's "
    "lifetime begins when it is opened."
)
async def create_session_link(call: Call, given: CreateSessionLinkInput) -> CreateSessionLinkPayload:
    code = tokens.new(tokens.LINK)
    outcome = await call.run(_creation(call, given, code, is_link=True))
    url = links.address(code.text) if not outcome.replayed else None
    return CreateSessionLinkPayload(session=_session(outcome), url=url)


@strawberry.input(description="The code of a link.")
class OpenSessionInput:
    code: str = strawberry.field(description="What stands behind the `#` of the link: `el_…`.")
    nonce: str | None = optional(
        "What a browser made up by chance for this opening and tells nobody else, 32 to 128 characters. Whoever asks again "
        "with it, since the answer was lost, gets the same session, as long as that lives."
    )


@mutation_for_anybody(
    "Opens the session of a link, and answers with its token. Needs no credentials and takes no idempotency key: a code works "
    "once, and who was second is told so, unless they are who was first and show their `nonce`."
)
async def open_session(call: Call, given: OpenSessionInput) -> CreateSessionPayload:
    _check(given.nonce)
    code = tokens.read_code(given.code)
    session = await authentication.of_link(code) if code is not None else None
    if code is None or session is None:
        if call.context.budget is not None:
            call.context.budget.charge(WRONG_CODE)
        raise NotFound("There is no such link.", field="code")
    token = tokens.of_link(code, given.nonce) if given.nonce is not None else tokens.new(tokens.SESSION)
    call.actor = session
    try:
        outcome = await call.run(commands.OpenSession(session_id=session.session_id or "", token=token))
    except InvalidState:
        if (opened := await _opened_by(token)) is None:
            raise
        return CreateSessionPayload(session=opened, token=token.text)
    return CreateSessionPayload(session=_session(outcome), token=token.text)


def _check(nonce: str | None) -> None:
    if nonce is not None and not NONCE_CHARACTERS_MIN <= len(nonce) <= NONCE_CHARACTERS_MAX:
        raise InvalidInput(
            f"A nonce has {NONCE_CHARACTERS_MIN} to {NONCE_CHARACTERS_MAX} characters, not {len(nonce)}.", field="nonce"
        )


async def _opened_by(token: Token) -> Session | None:
    """The session that this token opens already, so that whoever would have it has opened it themselves."""
    found = await authentication.find(token)
    if found is None or found.actor.session_id is None:
        return None
    views = await queries.sessions_by_id(found.actor, [found.actor.session_id])
    return next((Session.of_view(view) for view in views.values()), None)


@strawberry.input(description="Which session ends.")
class RevokeSessionInput:
    session_id: strawberry.ID = strawberry.field(description="The session, or the link that waits.")


@mutation(
    "Ends a session at once, or a link that waits. For the session itself, its member, the key that made it, owners and the "
    "operator."
)
async def revoke_session(call: Call, given: RevokeSessionInput) -> SessionPayload:
    return SessionPayload(session=_session(await call.run(commands.RevokeSession(session_id=given.session_id))))


def _creation(call: Call, given: CreateSessionInput, token: Token, *, is_link: bool) -> commands.CreateSession:
    """The command; whoever names neither account nor member means themselves."""
    is_own = given.account_id is None and given.member_id is None
    return commands.CreateSession(
        session_id=ids.new(Kind.SESSION),
        account_id=call.actor.account_id if is_own else given.account_id,
        member_id=call.actor.member_id if is_own else given.member_id,
        scopes=tuple(given.scopes),
        token=token,
        contract_ids=tuple(given.contract_ids) if given.contract_ids is not None else None,
        origins=tuple(given.origins),
        lifetime=timedelta(seconds=given.lifetime_seconds),
        is_link=is_link,
    )


def _session(outcome: AccountOutcome) -> Session:
    return Session.of(outcome.account.sessions[outcome.result["session_id"]], account_id=outcome.account.id)
