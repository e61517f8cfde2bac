"""What shows, what is one line and what is a word, in every script."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow import writing

FLAG = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"

NEEDED = {
    "a Persian word with its joiner": "می\u200cخواهم",  # noqa: RUF001
    "one person at a computer": "👩\u200d💻",
    "the flag of Scotland": FLAG,
    "a heart in colour": "❤\ufe0f",
    "a variant of an ideograph": "葛\U000e0100",
    "a mark of direction": "\u200fאבג (1)\u200f",
    "an isolate that is closed": "for \u2068אבג\u2069 and \u2066\u2067x\u2069\u2069",
    "an embedding that is closed": "\u202bאבג\u202c",
    "where a Khmer word may break": "ភាសា\u200bខ្មែរ",
    "where a German word may break": "Schiff\u00adfahrt",
    "a conjunct of Devanagari": "क्\u200dष",
    "a space that keeps together": "10\u00a0km",
}


@pytest.mark.parametrize("text", NEEDED.values(), ids=NEEDED.keys())
def test_what_writing_needs_is_no_fault_and_is_shown_as_it_was_written(text: str) -> None:
    assert writing.fault_of_line(text) is None
    assert not writing.shows_nothing(text)
    assert writing.one_line(text) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t\n", "\u00a0\u3000", "\u200b", "\u2060", "\ufeff", "\u200e\u200f", "\u00ad", "\u200c\u200d", "\u034f",
     "\u115f\u1160\u3164\uffa0", "\u180e", "\u2800", "\ufe0f", "\U000e0100", "\U000e0061", "\u2061", "\ufff9\ufffb", "\0",
     "\u17b4\u17b5", "\U0001d173"],
)  # fmt: skip
def test_what_leaves_no_ink_shows_nothing(text: str) -> None:
    assert writing.shows_nothing(text)
    assert not writing.shows_nothing(text + "x")


@pytest.mark.parametrize("text", ["-", "\u0600", "\u0301", "🦊", "\ue000", "\u0903"])
def test_what_a_reader_sees_is_something(text: str) -> None:
    assert not writing.shows_nothing(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        *((f"a{end}b", "must be one line") for end in ("\n", "\r", "\t", "\v", "\f", "\x85", "\u2028", "\u2029")),
        *((f"a{control}b", "must be one line") for control in ("\x01", "\x1b", "\x7f", "\x9b")),
        *((f"a{never}b", "not text") for never in ("\0", "\ud800", "\udfff", "\ufffe", "\U0001ffff", "\ufdd0")),
        ("invoice\u202egnp.exe", "U+202E"),
        ("\u202dx\u202c", "U+202D"),
        *((f"{opener}x", "opens") for opener in "\u202a\u202b\u2066\u2067\u2068"),
        *((f"x{closer}", "closes") for closer in "\u202c\u2069"),
        ("\u2067\u202bx\u2069\u202c", "closes"),
        ("\u2067x\u2069\u2067", "opens"),
        ("ab\U000e0063", "no emoji"),
        ("🏴\U000e0067", "no emoji"),
        ("\U000e0001x", "no emoji"),
    ],
)
def test_a_line_that_is_not_what_it_looks_like_is_refused_in_a_sentence(text: str, says: str) -> None:
    fault = writing.fault_of_line(text)
    assert fault is not None
    assert says in fault
    assert fault.endswith(".")
    assert fault.isprintable()


def test_several_lines_keep_their_ends_and_no_other_controls() -> None:
    assert writing.fault("a\tb\r\nc\u2028d\x85e\ff\vg\u202eh") is None
    for control in "\x00\x01\x07\x08\x1b\x7f\x80\x9b":
        assert writing.fault(f"a{control}b") is not None
    assert writing.storable("a\0b\x1bc\ud800d\ne") == "abcd\ne"


@given(st.text(st.characters(codec=None)))
@example("\0\ud800\x1b\ufffe")
def test_what_was_made_fit_to_be_stored_has_no_fault(text: str) -> None:
    assert writing.fault(writing.storable(text)) is None
    shown = writing.one_line(text)
    assert "\n" not in shown
    assert writing.one_line(shown) == shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Réunion générale", ["reunion", "generale"]),
        ("3D-Modell (v2.1)", ["3d", "modell", "v2", "1"]),
        ("ΟΔΟΣ οδός", ["οδοσ"]),
        ("Straße STRASSE", ["strasse"]),
        ("I\u015f\u0131k \u0131\u015f\u0131k IŞIK", ["isik"]),
        ("İstanbul", ["istanbul"]),
        ("ｗｅｂ ﬁn x²", ["web", "fin", "x2"]),  # noqa: RUF001
        ("第1段階", ["第", "1", "段階", "階"]),
        ("AI設計", ["ai", "設計", "計"]),
        ("مَرْحَبًا مـرحـبا", ["مرحبا"]),
        ("हिन्दी हिन्\u200dदी", ["हिनदी"]),
        ("שָׁלוֹם", ["שלום"]),
        ("👩\u200d💻 👍🏽 🇫🇷", ["👩", "💻", "👍", "🇫🇷"]),
        ("한국어 \u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", ["한국어"]),
        ("ガカ", ["ガカ", "カ"]),
        ("Łódź ŁÓDŹ lodz", ["lodz"]),
        ("Ørsted Đakovo Ħamrun Þór Ðuro", ["orsted", "dakovo", "hamrun", "thor", "duro"]),
        ("Ærø cœur K\u0131rşehir ŋ", ["aero", "coeur", "kirsehir", "ng"]),
        ("ꝁing \u0294a", ["king", "\u0294a"]),
        ("… — “”!?", []),
    ],
)  # fmt: skip
def test_words_are_one_spelling_for_what_is_the_same(text: str, words: list[str]) -> None:
    assert writing.words(text) == words


@given(st.text())
def test_a_text_is_found_by_each_of_its_words_and_by_itself(text: str) -> None:
    kept = writing.words(text)
    for said in (text, *text.split()):
        sought = writing.words(said, sought=True)
        assert all(any(word.startswith(one) for word in kept) for one in sought), (said, sought, kept)
    assert all(0 < len(word) <= writing.WORD_MAX and not word.isspace() and " " not in word for word in kept)


def test_every_letter_of_the_latin_alphabets_is_typed_on_any_keyboard() -> None:
    """But for a glottal stop and what stands for one in Africa and Greenland: there is no key for it anywhere."""
    letters = [chr(code) for code in range(0xC0, 0x250) if chr(code).isalpha()]
    assert {one for one in letters if not "".join(writing.words(one)).isascii()} <= set(
        "\u0149\u01b8\u01b9\u0241\u0242"
    )


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    once = writing.folded(text)
    assert writing.folded(once) == once
