"""Releases of the console: what a page was begun with goes on being answered, and a change on the disk is another release."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.console.shipped import KEPT_MAX, NAME, Release, Releases, as_sent
from tests.api.console.modules import modules, named, text_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "one.js").write_text("/**\n * Owns one.\n */\nexport const one = 1;\n")
    (tmp_path / "page.html").write_text("<!doctype html>")
    (tmp_path / "beside.lock").write_text("no file of a page")
    return tmp_path


async def body_of(release: Release | None, name: str) -> bytes | None:
    assert release is not None
    asset = await release.get(name)
    return None if asset is None else asset.plain.body


async def test_a_change_is_another_release_and_the_one_before_stays_whole(folder: Path) -> None:
    releases = Releases(folder)
    first = await releases.latest()
    assert NAME.fullmatch(first.name)
    assert set(first.bodies) == {"core/one.js", "page.html"}
    assert await releases.latest() is first

    (folder / "core" / "one.js").write_text("export const one = 2; // more than one\n")
    (folder / "core" / "two.js").write_text("export const two = 2;\n")
    second = await releases.latest()
    assert second.name != first.name
    assert await body_of(await releases.get(first.name), "core/one.js") == b"\n\n\nexport const one = 1;\n"
    assert await body_of(await releases.get(second.name), "core/one.js") == b"export const one = 2;\n"
    assert await body_of(first, "core/two.js") is None
    assert await releases.get("0123456789ab") is None


async def test_a_process_knows_the_release_that_was_put_beside_it_and_forgets_the_oldest(folder: Path) -> None:
    releases = Releases(folder)
    names = [(await releases.latest()).name]
    for number in range(KEPT_MAX):
        (folder / f"new{number}.js").write_text("")
        names.append((await Releases(folder).latest()).name)  # as another process calls it
        assert await releases.get(names[-1]) is not None
    assert await releases.get(names[0]) is None
    assert await releases.get(names[1]) is not None


async def test_the_same_files_have_the_same_name_everywhere(folder: Path) -> None:
    bodies = (await Releases(folder).latest()).bodies
    assert Release.of(dict(reversed(bodies.items()))).name == Release.of(bodies).name
    assert Release.of({"ab": b"c"}).name != Release.of({"a": b"bc"}).name


@pytest.mark.parametrize(
    ("script", "sent"),
    [
        ("// whole\nlet a; // beside\n", "\nlet a;\n"),
        ("  /** one line */\n  let a;", "\nlet a;"),
        ("/** @type {A} */ let a;\n/** two\n * lines */\nlet b;", "let a;\n\n\nlet b;"),
        ("/** @type {A} */ let a = /** @type {B} */ (b);", "let a = (b);"),
        ('const link = "https://here";', 'const link = "https://here";'),
        ('const said = "this // that";', 'const said = "this // that";'),
    ],
)
def test_a_script_is_sent_line_by_line_without_comments_and_room(script: str, sent: str) -> None:
    assert as_sent(script) == sent


@pytest.mark.parametrize("path", modules(), ids=named)
def test_nothing_that_a_module_says_is_taken_for_a_comment(path: Path) -> None:
    words = re.findall(r"\"(?:[^\"\\\n]|\\.)*\"", text_of(path))
    sent = as_sent(text_of(path))
    assert [one for one in words if "/**" in one or "*/" in one] == []
    assert [one for one in words if " // " in one and one not in sent] == []
