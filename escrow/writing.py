"""Knows what people's writing is made of, in every script: what shows, what is one line, what a word is.

All of it is told by Unicode's own properties, which the library `regex` has, and by `anyascii` for the Latin letters that Unicode
doesn't take apart; no table here is ours. What looks like nothing
is often needed: joiners between the letters of Persian and the people of an emoji, marks of direction, selectors, tags of
flags. So it is not refused for being invisible, but only where it is all that there is, or where it misleads.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Final

import regex
from anyascii import anyascii

_V1: Final = regex.V1

# --- what shows -----------------------------------------------------------------------------------------------------

_NOTHING: Final = regex.compile(
    r"[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cs}\u2800[\p{Cf}--\p{Prepended_Concatenation_Mark}]]*",
    _V1,
)
"""Characters that leave no ink; U+2800, an empty cell of Braille, is the one that Unicode counts among symbols."""

_UNSTORABLE: Final = regex.compile(r"[\0\p{Cs}\p{Noncharacter_Code_Point}]", _V1)
_CONTROL: Final = regex.compile(r"[\p{Cc}--[\t\n\v\f\r\x85]]", _V1)
_LINES: Final = regex.compile(r"[\p{Cc}\p{Zl}\p{Zp}]", _V1)
_EDGES: Final = regex.compile(r"^[\p{White_Space}\u200b\u2060\ufeff]|[\p{White_Space}\u200b\u2060\ufeff]$", _V1)
_LINE_ENDS: Final = regex.compile(r"\r\n|[\p{Cc}\p{Zl}\p{Zp}]", _V1)
_OVERRIDES: Final = frozenset("\u202d\u202e")
_OPENERS: Final = {"\u202a": "\u202c", "\u202b": "\u202c", "\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069"}
_CLOSERS: Final = frozenset(_OPENERS.values())
_DIRECTIONS: Final = regex.compile(r"[\u202a-\u202e\u2066-\u2069]", _V1)
_TAG: Final = regex.compile(r"[\U000e0000-\U000e007f]", _V1)
_TAGGED: Final = regex.compile(r"\p{Emoji_Presentation}\p{Emoji_Modifier}?[\U000e0020-\U000e007e]{1,32}\U000e007f", _V1)
"""An emoji that tags tell more about, such as the flag of Scotland; elsewhere tags are text that nobody sees."""


def shows_nothing(text: str) -> bool:
    """Whether a reader sees nothing at all."""
    return _NOTHING.fullmatch(text) is not None


def has_space_around(text: str) -> bool:
    """Whether there is space before or after it, also such as has no width."""
    return _EDGES.search(text) is not None


def fault(text: str) -> str | None:
    """Why this can't be kept, in a sentence; lines may end as they do."""
    if _UNSTORABLE.search(text):
        return "It contains a character that is not text (U+0000, half of a surrogate pair, or a noncharacter)."
    if found := _CONTROL.search(text):
        return f"It contains a control character ({_named(found[0])}); of these only line breaks and tabs are text."
    return None


def fault_of_line(text: str) -> str | None:
    """Why this is no single line that means what it looks like, in a sentence."""
    if _UNSTORABLE.search(text):
        return fault(text)
    if found := _LINES.search(text):
        return f"It must be one line, without control characters; it contains {_named(found[0])}."
    return _fault_of_direction(text) or _fault_of_tags(text)


def _fault_of_direction(text: str) -> str | None:
    """Whether it turns the order of letters around, or that of whatever is written after it."""
    expected = []
    for character in text:
        if character in _OVERRIDES:
            return f"It overrides the direction of writing ({_named(character)}), so that it reads as what it is not."
        if character in _OPENERS:
            expected.append(_OPENERS[character])
        elif character in _CLOSERS and (not expected or expected.pop() != character):
            return f"It closes a direction of writing that it did not open ({_named(character)})."
    return f"It opens a direction of writing and does not close it with {_named(expected[-1])}." if expected else None


def _fault_of_tags(text: str) -> str | None:
    found = _TAG.search(text) and _TAG.search(_TAGGED.sub("", text))
    return (
        f"It contains a tag ({_named(found[0])}) that belongs to no emoji, so that nobody sees it." if found else None
    )


def _named(character: str) -> str:
    return f"U+{ord(character):04X}"


def one_line(text: str) -> str:
    """What is shown of a text where there is one line for it, beside other words: its lines one after the other, all else as
    it was written, but for directions of writing that would go on beyond it."""
    line: str = _LINE_ENDS.sub(" ", text).strip()
    if _fault_of_direction(line):
        line = _DIRECTIONS.sub("", line)
    return line


def storable(text: str) -> str:
    """The text without what could not be kept."""
    kept: str = _CONTROL.sub("", _UNSTORABLE.sub("", text))
    return kept


# --- words ----------------------------------------------------------------------------------------------------------

_FOLDED: Final = regex.compile(
    r"[[\p{Default_Ignorable_Code_Point}\p{Emoji_Modifier}\u0640][\p{M}&&[\p{Diacritic}\p{Script=Inherited}]--[\u3099\u309a]]]+",
    _V1,
)
"""What is no letter of its own: accents, points, harakat, viramas, the stretched line of Arabic, what is invisible. The two
marks that make other letters of kana stay."""

_WHOLE: Final = regex.compile(r"[[\p{Script=Latin}&&\p{L}]--\p{ASCII}]", _V1)
"""Latin letters that are left when marks are folded, since no mark is part of them: ł, ø, đ, ħ, æ, œ, þ, ð, …"""

_WORDS: Final = regex.compile(
    r"(?P<unspaced>(?:[\p{Alphabetic}&&[\p{Word_Break=Other}\p{Word_Break=Katakana}]]\p{M}*)+)"
    r"|(?:[[\p{Alphabetic}\p{N}]--[\p{Word_Break=Other}&&\p{Alphabetic}]--\p{Word_Break=Katakana}]\p{M}*)+"
    r"|\p{Regional_Indicator}{1,2}|\p{Extended_Pictographic}",
    _V1,
)
"""Unicode's rules of words leave letters of scripts without spaces alone (Word_Break=Other), or can't divide their runs
(Katakana); all other letters and numbers stand in words. A picture is a word, too."""

_UNIT: Final = regex.compile(r"\P{M}\p{M}*", _V1)

WORD_MAX: Final = 60
"""So many characters of a word tell it from others."""


def folded(text: str) -> str:
    """The text as it is compared: one spelling for what is the same in any case, form, width or with other marks.

    Capitals come first, so that the dotless i of Turkish is an i as its capital is, and the ss of German as its.
    """
    plain = unicodedata.normalize("NFKC", text).upper().casefold()
    bare = unicodedata.normalize("NFKC", _FOLDED.sub("", unicodedata.normalize("NFKD", plain)))
    return bare if bare.isascii() else _WHOLE.sub(lambda found: _on_any_keyboard(found[0]), bare)


@lru_cache(maxsize=2_048)
def _on_any_keyboard(letter: str) -> str:
    """How a Latin letter is written where there is no key for it, with letters and digits alone; itself, if that isn't known."""
    return "".join(filter(str.isalnum, anyascii(letter))).lower() or letter


def words(text: str, *, sought: bool = False) -> list[str]:
    """The words of a text, folded, each once, in their order.

    Where a script has no spaces they are all pairs of neighbouring letters, and of what is to be found the last letter too,
    so that a single one is found. Of what is `sought` each must be the beginning of a word that is found.
    """
    return list(dict.fromkeys(word[:WORD_MAX] for word in _words(folded(text), sought=sought)))


def _words(text: str, *, sought: bool) -> Iterator[str]:
    for found in _WORDS.finditer(text):
        if found["unspaced"] is None:
            yield found[0]
            continue
        units = _UNIT.findall(found[0])
        yield from map("".join, pairwise(units))
        if not sought or len(units) == 1:
            yield units[-1]
