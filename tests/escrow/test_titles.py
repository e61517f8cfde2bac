"""Titles are found in every script and spelling, by whoever may see them, as they are now."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from escrow import database as db
from escrow import migrate, titles
from escrow.access import Actor
from escrow.agreement import commands as c
from escrow.erasure import erase
from escrow.pipeline import run
from escrow.queries.contracts import ContractOrder, contracts_page
from escrow.queries.milestones import MilestoneOrder, milestones_page
from tests.factories import Deployment, draft
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("database")


EXAMPLES = [
    ("“Website” relaunch", "website"),
    ("Design—build", "build"),
    ("L’été", "l'été"),
    ("L’été", "été"),
    ("Site\u00a0vitrine", "vitrine"),
    ("設計\u3000資料", "資料"),
    ("網站設計第一階段", "設計第一"),
    ("ウェブサイトの改修", "改修"),
    ("ウェブサイトの改修", "サイト"),
    ("Clémentine façade", "clementine"),
    ("Réunion générale", "Re\u0301union ge\u0301ne\u0301rale"),
    ("Re\u0301union ge\u0301ne\u0301rale", "Réunion générale"),
    ("Ἡ ὁδὸς", "ΟΔΟΣ"),
    ("Große Straße", "GROSSE STRASSE"),
    ("GROSSE STRASSE", "große straß"),
    ("İstanbul Işıkları", "istanbul ışık"),  # noqa: RUF001
    ("ISTANBUL", "İstanbul"),
    ("ออกแบบเว็บไซต์ใหม่", "เว็บไซต์"),
    ("ភាសាខ្មែរ", "ខ្មែរ"),
    ("웹사이트 개편", "\u1100\u1162\u1111\u1167\u11ab"),
    ("\u110b\u1170\u11b8 개편", "웹"),
    ("مَرْحَبًا بالعالم", "مرحبا"),
    ("می\u200cخواهم", "میخواهم"),  # noqa: RUF001
    ("हिन्दी वेबसाइट", "हिन्दी"),
    ("हिन्\u200dदी", "हिन्दी"),
    ("שָׁלוֹם", "שלום"),
    ("🚀Launch", "launch"),
    ("Team 👩\u200d💻", "👩\u200d💻"),
    ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),  # noqa: RUF001
    ("ﾊﾝｶｸ", "ハンカク"),
    ("第1段階：AI設計", "ai 設計"),  # noqa: RUF001
    ("Проект Ёлка", "елка"),
    ("Phase②", "phase2"),
    ("Łódź, port", "lodz"),
    ("lodz", "ŁÓDŹ"),
    ("Smørrebrød på Ærø", "smorrebrod pa aero"),
    ("Oeuvre", "œuvre"),
    ("Þór ok Ðuro", "thor duro"),
    ("C'est “l’été”", "est l’ete"),
]
"""A title, and words that find it."""

NOTHING = [
    "", " ", "\u3000", "!?", "“…”", "' | '", ":*", "\\", "' & 'zz", "\u200b", "\ufeff", "q" * 200, "字" * 200, "\ufdfa" * 200,
    "(:*)|" * 40, "\u0301", "zz y", "網站 zz", "%", "_", "'); --",
]  # fmt: skip


async def said(there: Deployment, *names: str) -> list[str]:
    """Contracts with these titles, each with a milestone of the same; in this order."""
    found = []
    for name in names:
        command = there.proposal("10.00")
        command = replace(command, terms=replace(command.terms, title=name), plan=(draft(name),))
        await run(command, by=there.client)
        found.append(command.contract_id)
    return found


async def found(words: str, by: Actor) -> set[str]:
    """The contracts that are found by these words, by their own titles and by their milestones', which must agree."""
    own = await contracts_page(by, title=words, limit=100, after=None, order=ContractOrder.NEWEST)
    assert {view.terms.id for view in own} == await found_by_milestones(words, by)
    return {view.terms.id for view in own}


async def found_by_milestones(words: str, by: Actor) -> set[str]:
    pages = [
        await milestones_page(by, title=words, limit=100, after=None, order=order)
        for order in (MilestoneOrder.PLAN, MilestoneOrder.DUE)
    ]
    by_plan, by_date = ({view.contract_id for view in page} for page in pages)
    assert by_plan == by_date
    return by_plan


async def test_each_title_is_found_by_the_words_beside_it_and_by_itself() -> None:
    there = await Deployment.make()
    made = await said(there, *(title for title, _ in EXAMPLES))
    for (title, words), contract_id in zip(EXAMPLES, made, strict=True):
        for by in (there.client, there.freelancer, there.operator):
            assert contract_id in await found(words, by), (title, words)
        assert contract_id in await found(title, there.client), title
        assert await found(words, there.mediator) == set(), "nobody finds what they don't see"


async def test_a_mediator_finds_what_was_disputed_and_nothing_else() -> None:
    there = await Deployment.make()
    disputed, _ = [await there.fund("250.00") for _ in range(2)]
    assert await found_by_milestones("milest", there.mediator) == set()
    await disputed.open_dispute()
    for words, expected in (("websi", {disputed.id}), ("website milestone", set[str]())):
        page = await contracts_page(there.mediator, title=words, limit=100, after=None, order=ContractOrder.NEWEST)
        assert {view.terms.id for view in page} == expected
    assert await found_by_milestones("milest 1", there.mediator) == {disputed.id}
    assert await found_by_milestones("websi", there.mediator) == set()


async def test_what_says_no_word_or_none_that_is_there_finds_nothing() -> None:
    there = await Deployment.make()
    await said(there, *(title for title, _ in EXAMPLES), "x' & y:* | \\")
    for words in NOTHING:
        assert await found(words, there.client) == set(), words


async def test_one_letter_finds_what_begins_with_it_and_where_there_are_no_spaces_what_has_it() -> None:
    there = await Deployment.make()
    website, chinese, mixed = await said(there, "Website relaunch", "網站設計", "Web設計 第2期")
    assert await found("w", there.client) == {website, mixed}
    assert await found("W", there.client) == {website, mixed}
    assert await found("e", there.client) == set()
    assert await found("計", there.client) == {chinese, mixed}
    assert await found("網", there.client) == {chinese}
    assert await found("設計 we 2", there.client) == {mixed}
    assert await found("站計", there.client) == set(), "neighbours only"


async def test_a_title_is_found_as_it_is_now_and_not_at_all_once_it_is_erased() -> None:
    there = await Deployment.make()
    deal = await there.activate("10.00")
    for title, gone in (("設計資料", "Milestone"), ("Réunion", "資料")):
        await run(c.EditMilestone(milestone_id=deal.milestone(), title=title), by=there.client)
        assert await found_by_milestones(title, there.client) == {deal.id}
        assert await found_by_milestones(gone, there.client) == set()
    await erase(deal.id)
    assert await found_by_milestones("reunion", there.client) == set()
    assert await db.fetch_value("SELECT sum(length(words)) FROM titles") == 0
    assert {row["title"] for row in await db.fetch("SELECT title FROM contracts")} == {""}


AS_BEFORE = """
UPDATE titles SET edition = 0, title_hash = 0, words = title_lexemes(left(id, 3), client_id, freelancer_id, title)
FROM (SELECT id, client_id, freelancer_id, title FROM contracts
    UNION ALL SELECT id, client_id, freelancer_id, title FROM milestones) AS every WHERE id = subject_id
"""
"""The rows as earlier releases made them."""


async def test_migrating_makes_the_words_of_older_releases_anew_and_brings_none_back_that_was_erased(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(titles, "BATCH", 7)
    there = await Deployment.make()
    made = await said(there, *(title for title, _ in EXAMPLES))
    (secret,) = await said(there, "秘密 secret")
    fresh = await db.fetch("SELECT * FROM titles ORDER BY subject_id")
    await db.execute(AS_BEFORE)
    assert made[6] not in await found("設計第一", there.client)
    assert made[0] in await found("relaunch", there.client), "what was found before is found meanwhile"
    await erase(secret)
    assert await migrate.migrate(database) == []
    renewed = await db.fetch("SELECT * FROM titles ORDER BY subject_id")
    mine = {row["id"] for row in await db.fetch("SELECT id FROM milestones WHERE contract_id = $1", secret)} | {secret}
    assert [row for row in renewed if row["subject_id"] not in mine] == [
        row for row in fresh if row["subject_id"] not in mine
    ]
    assert {row["words"] for row in renewed if row["subject_id"] in mine} == {""}
    assert {row["edition"] for row in renewed} == {titles.EDITION}


async def test_words_that_left_letters_as_they_are_are_made_anew(database: str) -> None:
    there = await Deployment.make()
    made = await said(there, "Łódź")
    await db.execute(
        "UPDATE titles SET edition = 1, words = replace(words::text, 'lodz', 'łodz')::tsvector WHERE words::text LIKE '%lodz%'"
    )
    assert await found("lodz", there.client) == set()
    assert await migrate.migrate(database) == []
    assert await found("lodz", there.client) == {*made}


async def test_an_erasure_beside_the_renewal_wins() -> None:
    there = await Deployment.make()
    (secret,) = await said(there, "秘密 secret")
    await db.execute(AS_BEFORE)
    renewed, may_end = asyncio.Event(), asyncio.Event()

    async def renew() -> None:
        async with db.transaction():
            assert await titles.renew() == 2
            renewed.set()
            await may_end.wait()

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as both:
        both.create_task(renew())
        await renewed.wait()
        erasing = both.create_task(erase(secret))
        await until_somebody_waits()
        assert not erasing.done()
        may_end.set()
    assert await found("secret", there.client) == set()


async def until_somebody_waits() -> None:
    """Until a session waits for another's lock."""
    waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"
    while not await db.fetch_value(waiting):  # noqa: ASYNC110 - nothing rings when a lock is waited for
        await asyncio.sleep(0)


async def test_what_a_process_of_an_earlier_release_writes_is_found_as_it_found_it() -> None:
    there = await Deployment.make()
    (contract_id,) = await said(there, "Réunion générale")
    await db.execute("UPDATE contracts SET title = 'Design—build site'")
    await db.execute("UPDATE milestones SET title = 'Design—build site'")
    assert await found("site", there.client) == {contract_id}
    assert await found("reunion", there.client) == set()
    assert await db.fetch_value("SELECT sum(edition) FROM titles") == 0


async def test_a_change_of_something_else_writes_no_words() -> None:
    there = await Deployment.make()
    deal = await there.activate("10.00")
    before = await db.fetch("SELECT subject_id, xmin::text FROM titles ORDER BY subject_id")
    with db.counting() as statements:
        await run(c.EditMilestone(milestone_id=deal.milestone(), purpose="Another"), by=there.client)
        await deal.fund()
    assert not any("INSERT INTO titles" in statement for statement in statements)
    assert await db.fetch("SELECT subject_id, xmin::text FROM titles ORDER BY subject_id") == before


async def test_the_index_grows_with_the_letters_and_a_page_of_ideographs_is_bounded() -> None:
    there = await Deployment.make()
    await said(there, "字" * 100 + "計" * 100, "".join(map(chr, range(0x4E00, 0x4E00 + 200))))
    sizes = await db.fetch("SELECT length(words) AS lexemes, pg_column_size(words) AS bytes FROM titles")
    assert max(row["lexemes"] for row in sizes) <= 3 * 200
    assert max(row["bytes"] for row in sizes) <= 64 * 1024


def test_an_owner_and_a_word_cannot_break_out_of_what_is_asked() -> None:
    assert titles.tsquery("ctr", "a'b\\c", "x") == "'ctr:a''b\\\\c:x':*"
    assert titles.tsquery("ctr", "", "' | '") == ""
