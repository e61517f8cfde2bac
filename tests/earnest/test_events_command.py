"""`earnest events`: prints the schemas, writes the pages, and says when a page is not what the code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from earnest.cli import main
from earnest.generate import event_pages
from webhooks.events import asyncapi, reference
from webhooks.events.catalogue import event_types, schema_document


@pytest.fixture(autouse=True)
def logging_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that runs in this process must not take over the log of the tests."""
    monkeypatch.setattr("escrow.process_log.configure", lambda *_: None)


def test_the_pages_are_what_the_code_says() -> None:
    assert event_pages.differences() == [], "if the change is meant: earnest events --write"
    assert main(["events", "--check"]) == 0


def test_the_schemas_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events"]) == 0
    assert json.loads(capsys.readouterr().out) == schema_document()
    assert main(["events", "--asyncapi"]) == 0
    assert json.loads(capsys.readouterr().out) == asyncapi.document()


def test_a_page_that_differs_is_named_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    event_pages.write(tmp_path)
    assert event_pages.differences(tmp_path) == []
    (tmp_path / "milestone.md").write_text("Something else")
    (tmp_path / "payout.md").unlink()
    (tmp_path / "unheard.md").write_text("Of another release")
    monkeypatch.setattr(event_pages.differences, "__defaults__", (tmp_path,))
    assert main(["events", "--check"]) == 1
    told = capsys.readouterr().err
    assert [name for name in ("milestone", "payout", "unheard") if f"docs/events/{name}.md" in told] == [
        "milestone",
        "payout",
        "unheard",
    ]
    assert "earnest events --write" in told
    event_pages.write(tmp_path)
    assert event_pages.differences(tmp_path) == []


def test_every_event_has_its_place_and_every_link_leads_to_one() -> None:
    pages = reference.pages()
    for one in event_types():
        assert f"\n## {one.name}\n\n{one.description}\n" in pages[f"{one.family}.md"]
    links = re.findall(r"\]\(([a-z_]+\.md)#([a-z_]+)\)", pages["README.md"])
    assert len(links) == len(event_types())
    for page, anchor in links:
        assert anchor in {heading.replace(".", "") for heading in re.findall(r"^## (.+)$", pages[page], re.MULTILINE)}
