"""What is made of licences, of answers about vulnerabilities, and of the list of all parts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path
from typing import Any, cast

import pytest

from tests.parts import advisories, bill, licences, npm, vulnerabilities
from tests.parts.__main__ import BAD, NOT_ASKED, exit_code
from tests.parts.locked import LOCK, read_lock


def test_every_package_of_the_lock_has_a_licence_that_may_be_used() -> None:
    locked = read_lock(LOCK.read_text())
    judged = licences.judge(locked, licences.told())
    assert judged.problems == ()
    assert len(judged.allowed) == len(locked) >= 100


def test_what_may_be_used_in_tests_alone_is_imported_nowhere_else() -> None:
    image = read_lock(LOCK.with_name("ops").joinpath("requirements.lock").read_text())
    assert licences.IN_TESTS_ALONE.keys().isdisjoint(image)
    product = ("api", "clients", "connectors", "earnest", "escrow", "schema", "webhooks", "workers")
    for path in (path for folder in product for path in LOCK.with_name(folder).rglob("*.py")):
        said = path.read_text()
        assert not [name for name in licences.IN_TESTS_ALONE if f"import {name}" in said or f"from {name}" in said], (
            path
        )


def test_the_lock_tells_nobodys_address() -> None:
    assert "://" not in LOCK.read_text()
    assert "://" not in LOCK.with_name("tests").joinpath("parts", "requirements.lock").read_text()


def test_a_licence_that_is_unknown_or_none_of_ours_is_told_with_the_package() -> None:
    judged = licences.judge({"a": "1", "b": "2", "c": "3"}, {"a": "MIT", "b": "GPL-3.0-only"})
    assert judged.allowed == ("a",)
    forbidden, unknown = judged.problems
    assert forbidden.startswith("b 2: its licence, GPL-3.0-only, is none")
    assert unknown.startswith("c 3: no licence is known")


@pytest.mark.parametrize(
    ("expression", "may"),
    [
        ("MIT", True),
        ("AGPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("GPL-3.0-only OR SSPL-1.0", False),
        ("MIT AND GPL-3.0-only", False),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("MPL-2.0 AND (SSPL-1.0 OR GPL-2.0-only)", False),
        ("GPL-2.0-only AND MIT OR ISC", True),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("Some words of their own", False),
    ],
)
def test_all_that_is_joined_must_be_allowed_and_one_of_a_choice(expression: str, *, may: bool) -> None:
    assert licences.may_be_used(expression) is may


def metadata(**fields: str | list[str]) -> Any:
    message = Message()
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            message[name.replace("_", "-")] = one
    return cast("Any", message)


def test_a_licence_is_told_by_the_newest_kind_of_metadata_that_is_there() -> None:
    old = ["License :: OSI Approved :: MIT License", "Topic :: Database"]
    assert licences.spelled(metadata(License_Expression="ISC", Classifier=old)) == "ISC"
    assert licences.spelled(metadata(Classifier=old, License="as you like")) == "MIT"
    assert licences.spelled(metadata(License="BSD License")) == "BSD-3-Clause"
    assert licences.spelled(metadata(License="the whole text " * 20)) is None
    assert licences.spelled(metadata()) is None


def said(*dependencies: dict[str, Any]) -> str:
    return json.dumps({"dependencies": dependencies, "fixes": []})


FINE = {"name": "a", "version": "1", "vulns": []}
HOLED = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}, {"id": "X-2", "fix_versions": []}],
}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI"}


def test_what_is_known_against_a_version_is_told_with_what_mends_it() -> None:
    known = vulnerabilities.read("pypi", said(FINE, HOLED))
    assert known.found == ("b 2: PYSEC-1, mended in 2.1", "b 2: X-2, mended in no version yet")
    assert known.was_asked
    assert "2 are known in 2 packages, by pypi" in known.lines()[0]


@pytest.mark.parametrize("answer", ["", "Traceback", "[]", "{}", said(), said(SKIPPED), said(SKIPPED, SKIPPED)])
def test_an_answer_about_nothing_is_no_all_clear(answer: str) -> None:
    known = vulnerabilities.read("pypi", answer)
    assert not known.was_asked
    assert "NOT ASKED" in known.lines()[0]


def test_an_answer_about_some_is_no_all_clear_either() -> None:
    known = vulnerabilities.read("pypi", said(FINE, SKIPPED))
    assert not known.was_asked
    assert known.lines()[-1] == "  nothing is told of c"


def test_the_code_tells_a_problem_from_silence() -> None:
    assert exit_code(has_problems=False, was_asked=True) == 0
    assert exit_code(has_problems=False, was_asked=False) == NOT_ASKED
    assert exit_code(has_problems=True, was_asked=False) == exit_code(has_problems=True, was_asked=True) == BAD


def test_the_bill_lists_what_the_lock_names_and_no_paths() -> None:
    told = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [
            {"bom-ref": "a", "name": "A.b", "version": "1", "externalReferences": [{"url": "file:///somewhere"}]},
            {"bom-ref": "pip", "name": "pip", "version": "9"},
            {"bom-ref": "old", "name": "c", "version": "1"},
        ],
        "dependencies": [{"ref": "root", "dependsOn": ["a", "pip"]}, {"ref": "pip"}, {"ref": "a"}],
    }
    assert bill.of_the_lock(told, {"a-b": "1", "c": "2"}) == {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [{"bom-ref": "a", "name": "A.b", "version": "1"}],
        "dependencies": [{"ref": "root", "dependsOn": ["a"]}, {"ref": "a", "dependsOn": []}],
    }


def test_every_package_of_npms_locks_has_a_licence_that_may_be_used_and_a_place_in_the_bill() -> None:
    packages = npm.read_locks()
    assert len(npm.locks()) >= 5
    named = {f"{one.name}@{one.version}": one.version for one in packages}
    told = {f"{one.name}@{one.version}": one.licence for one in packages if one.licence}
    assert licences.judge(named, told).problems == ()
    listed = bill.with_npm({"components": []}, packages)["components"]
    assert [one["name"] for one in listed if one["scope"] == "required"] == ["graphql", "graphql-ws"]
    assert {len(one["hashes"][0]["content"]) for one in listed} == {128}
    assert len({one["bom-ref"] for one in listed}) == len(packages) >= 200


def test_what_npm_says_is_read_and_a_refusal_is_nobodys_answer() -> None:
    bad = {"range": "<4.17.21", "via": [{"url": "https://example.com/GHSA-1", "title": "Injection"}, "another"]}
    answer = {"vulnerabilities": {"lodash": bad}, "metadata": {"dependencies": {"total": 7}}}
    known = npm.read(json.dumps(answer), Path("clients/typescript"))
    assert (known.was_asked, known.looked_up) == (True, 7)
    assert known.found == ("lodash <4.17.21 (typescript): https://example.com/GHSA-1, Injection",)
    for refusal in ("", "{}", json.dumps({"message": "405 Method Not Allowed", "statusCode": 405})):
        assert not npm.read(refusal, Path("clients/typescript")).was_asked


RANGES = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.11.3"}, {"introduced": "3"}]}]


@pytest.mark.parametrize(
    ("affected", "versions"),
    [
        ({"ranges": RANGES}, {"2.9", "2.11.2", "3.0", "4.1"}),
        (
            {"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"last_affected": "2.11.3"}]}]},
            {"2.9", "2.11.2", "2.11.3"},
        ),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}], "versions": ["2.12"]}, {"2.12"}),
        ({}, set()),
    ],
)  # fmt: skip
def test_a_version_is_affected_if_it_is_listed_or_lies_between_the_fault_and_its_end(
    affected: dict[str, Any], versions: set[str]
) -> None:
    asked = ("2.9", "2.11.2", "2.11.3", "2.12", "3.0", "4.1")
    assert {version for version in asked if advisories.is_affected(affected, version)} == versions


def test_a_folder_of_advisories_names_what_is_known_and_an_old_one_is_no_all_clear(tmp_path: Path) -> None:
    package = {"ecosystem": "PyPI", "name": "Jinja2"}
    record = {"id": "PYSEC-1", "modified": "2026-01-02T03:04:05Z", "affected": [{"package": package, "ranges": RANGES}]}
    (tmp_path / "one.json").write_text(json.dumps(record))
    (tmp_path / "two.yaml").write_text(
        "id: GHSA-2\nmodified: 2026-01-01T00:00:00Z\n"
        "affected: [{package: {ecosystem: npm, name: '@a/b'}, versions: ['1.0.0']}]\n"
    )
    (tmp_path / "gone.json").write_text(json.dumps(record | {"id": "PYSEC-3", "withdrawn": "2026-01-02T00:00:00Z"}))
    parts = {("PyPI", "jinja2"): frozenset({"2.11.2"}), ("npm", "@a/b"): frozenset({"1.0.0", "1.0.1"})}
    known = advisories.compare(tmp_path, parts, now=datetime(2026, 1, 3, tzinfo=UTC))
    assert known.found == ("@a/b 1.0.0: GHSA-2", "jinja2 2.11.2: PYSEC-1")
    assert known.was_asked
    old = advisories.compare(tmp_path, {}, now=datetime(2026, 6, 1, tzinfo=UTC))
    assert not old.was_asked
    assert old.lines()[-1] == "  the source is too old for an all-clear"
