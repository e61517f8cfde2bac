"""Plans as files: what goes out comes back as the same, and what is changed in between is brought in once."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import date

import pytest

from connectors import files, importing
from connectors.files import FileUnreadable
from connectors.home import EarnestContract
from connectors.sides import Field, OurSide
from tests.connectors.coupled import Couple
from tests.connectors.test_merging import ours


def home(couple: Couple) -> EarnestContract:
    url = couple.served.url.removesuffix("/graphql")
    return EarnestContract(url, couple.client.token or "", contract_id=couple.deal.id, system="csv", said_by="a file")


async def test_a_table_that_comes_back_unchanged_changes_nothing_and_a_changed_one_is_brought_in_once(
    couple: Couple,
) -> None:
    here = home(couple)
    text = files.to_csv(await here.read())
    done = await importing.bring(here, files.from_csv(text))
    assert (done.same, done.added, done.edited, done.refused) == (3, 0, 0, ())
    rows = list(csv.DictReader(io.StringIO(text)))
    rows[0] |= {"title": "Drafts", "amount": "9999.00 USD"}
    out = io.StringIO()
    writer = csv.DictWriter(out, files.COLUMNS)
    writer.writeheader()
    writer.writerows(
        [
            *rows,
            {"title": "Extra", "due_on": "2031-05-06", "amount": "75.50"},
            {"title": "Free", "due_on": "2031-05-06"},
            {"title": "Thousands", "due_on": "2031-05-06", "amount": "1 500.00"},
            {"title": "Elsewhere", "due_on": "2031-05-06", "amount": "500.00 EUR"},
        ]
    )
    for added, edited in ((1, 1), (0, 0)):
        done = await importing.bring(here, files.from_csv(out.getvalue()))
        assert (done.added, done.edited) == (added, edited)
        assert done.refused == (
            "Free: a new milestone needs an amount",
            "Thousands: '1 500.00' is no price; it must be like 1500.00, or 1500.00 USD",
            "Elsewhere: the price is '500.00 EUR', and the contract is in USD",
        )
    await here.close()
    plan = await couple.plan()
    assert [(one["title"], one["amount"]["amount"]) for one in plan] == [
        ("Drafts", "100.00"), ("Milestone 2", "200.00"), ("Milestone 3", "300.00"), ("Extra", "75.50"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "amount"),
    [("75.50", "75.50"), ("75.50 USD", "75.50"), ("500", "500"), ("1,500.00", None), ("1 500.00", None), ("$5", None)],
)
def test_only_a_number_with_a_currency_or_without_is_an_amount(said: str, amount: str | None) -> None:
    (item,) = files.from_csv(f'title,due_on,amount\nA,2031-01-01,"{said}"\n').items.values()
    assert item.price is not None
    assert (item.price.said, item.price.amount) == (said, amount)


async def test_a_calendar_moves_due_dates(couple: Couple) -> None:
    here = home(couple)
    text = files.to_calendar(await here.read())
    due_on = (await couple.plan())[0]["dueOn"].replace("-", "")
    moved = text.replace(f"DTSTART;VALUE=DATE:{due_on}".encode(), b"DTSTART;VALUE=DATE:20310405", 1)
    assert moved != text
    done = await importing.bring(here, files.from_calendar(moved))
    await here.close()
    assert (done.edited, done.same, done.refused) == (1, 2, ())
    assert (await couple.plan())[0]["dueOn"] == "2031-04-05"


@pytest.mark.parametrize("formula", ["=HYPERLINK(1)", "'=HYPERLINK(1)", "''-1", "'Quoted'"])
def test_what_a_spreadsheet_would_compute_is_kept_a_text(formula: str) -> None:
    side = OurSide(items={"mil_1": ours(values={Field.TITLE: formula})}, version=1, today=date(2030, 1, 1))
    text = files.to_csv(side)
    assert f",{formula}," not in text or formula == "'Quoted'"
    (item,) = files.from_csv("\ufeff" + text).items.values()
    assert item.values[Field.TITLE] == formula
    assert item.mark == "mil_1"
    assert files.from_csv(files.to_csv(replace(side, items={}))).items == {}


TOO_LONG = "A" * (csv.field_size_limit() + 1)


def test_a_table_may_end_its_lines_as_it_likes() -> None:
    for end in ("\n", "\r\n", "\r"):
        side = files.from_csv(end.join(["title,due_on", '"A, B",2031-01-01', "C,2031-01-02"]))
        assert [item.values[Field.TITLE] for item in side.items.values()] == ["A, B", "C"]


def test_a_table_in_another_encoding_is_refused_and_never_guessed_at() -> None:
    table = "title,due_on\nÜbersicht,2031-01-01\n"
    assert files.decoded(table.encode()) == files.decoded(table.encode("utf-8-sig")) == table
    for encoding in ("cp1252", "utf-16"):
        with pytest.raises(FileUnreadable, match="UTF-8"):
            files.decoded(table.encode(encoding))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "title,due_on\nA,tomorrow\n", f"title,due_on\n{TOO_LONG},\n"])
def test_what_is_no_plan_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(FileUnreadable):
        files.from_csv(text)


def test_what_is_no_calendar_is_refused_in_one_line() -> None:
    with pytest.raises(FileUnreadable):
        files.from_calendar(b"BEGIN:VEVENT\nnonsense")
