"""Pictures show every arrow of the tables, and what can't be drawn is left to be shown as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from api.manual import sequences
from api.manual.drawings import drawn
from api.manual.fans import Arrow, read
from api.manual.library import Library
from earnest.generate import pictures
from tests.api.manual.pages import Page

FENCE = re.compile(r"```mermaid\n(.*?)```", re.DOTALL)

PICTURES = [
    pictures.milestone_picture,
    pictures.contract_picture,
    pictures.refund_request_picture,
    pictures.dispute_picture,
    pictures.change_request_picture,
]


def _inside(fenced: str) -> str:
    return fenced.removeprefix("```mermaid\n").removesuffix("```")


@pytest.mark.parametrize("picture", PICTURES, ids=lambda one: one.__name__)
def test_every_arrow_of_the_tables_is_drawn_and_told(picture: Callable[[], str]) -> None:
    text = _inside(picture())
    arrows = re.findall(r"^    (\S+) --> (\S+): (.+)$", text, re.MULTILINE)
    assert arrows
    diagram = read(text)
    assert diagram is not None
    shown = {(arrow.source, arrow.target, label) for arrow in diagram.arrows for label in arrow.labels}
    assert shown == set(arrows)
    page = Page.of(drawn(text) or "")
    told = page.text
    for source, target, label in arrows:
        assert told.count(label) >= 2, "above its arrow, and in words"
        assert target in told
        assert source in told or source == "[*]"


def test_states_begin_and_end_where_the_text_says() -> None:
    diagram = read(_inside(pictures.milestone_picture()))
    assert diagram is not None
    assert diagram.first == {"PLANNED"}
    assert diagram.last == {"CANCELLED", "REFUNDED", "RELEASED", "SETTLED"}
    assert diagram.boxes["HOLDS_MONEY"] == ("HOLDS_MONEY", "· ACTIVE", "· CHANGES_REQUESTED", "· FUNDED", "· SUBMITTED")
    assert diagram.sources()[0] == "PLANNED"


def test_parts_have_words_and_arrows_of_three_kinds() -> None:
    diagram = read('flowchart LR\n a(["A<br>one"]) --> b["B"]\n b <-->|"both<br>ways"| c[("C")]\n c -.->|"rings"| a')
    assert diagram is not None
    assert diagram.boxes == {"a": ("A", "one"), "b": ("B",), "c": ("C",)}
    assert diagram.arrows == [
        Arrow("a", "b", ()),
        Arrow("b", "c", ("both", "ways"), is_double=True),
        Arrow("c", "a", ("rings",), is_dashed=True),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sequenceDiagram",
        "sequenceDiagram\n A->>B: hello\n loop forever",
        "sequenceDiagram\n A->>A: hello",
        "stateDiagram-v2\n A --> B\n note left of A",
        "flowchart LR",
        "flowchart LR\n a",
        "x",
    ],
)
def test_what_is_not_understood_is_not_drawn(text: str) -> None:
    assert drawn(text) is None


def test_every_picture_of_the_documents_is_drawn_inside_its_bounds(books: Library) -> None:
    texts = [text for article in books.articles.values() for text in FENCE.findall(article.text)]
    assert len(texts) > len(PICTURES)
    for text in texts:
        page = Page.of(drawn(text) or "")
        assert page.faults == []
        (svg,) = page.all("svg")
        assert svg["role"] == "img"
        assert svg["aria-label"]
        for box in page.all("rect"):
            assert 0 <= float(box["x"]) <= float(box["x"]) + float(box["width"]) <= float(svg["width"])
            assert 0 <= float(box["y"]) <= float(box["y"]) + float(box["height"]) <= float(svg["height"])


def test_boxes_stand_beside_each_other_and_never_on_each_other(books: Library) -> None:
    for article in books.articles.values():
        for text in FENCE.findall(article.text):
            boxes = [
                {k: float(v) for k, v in one.items() if k != "class"} for one in Page.of(drawn(text) or "").all("rect")
            ]
            for index, one in enumerate(boxes):
                for other in boxes[index + 1 :]:
                    apart = (
                        one["x"] + one["width"] <= other["x"]
                        or other["x"] + other["width"] <= one["x"]
                        or one["y"] + one["height"] <= other["y"]
                        or other["y"] + other["height"] <= one["y"]
                    )
                    assert apart, (article.address, one, other)


def test_a_sequence_has_lines_messages_and_notes() -> None:
    text = "sequenceDiagram\n participant A as the one\n A->>B: hello<br>there\n B-->>A: yes\n Note over A,B: after<br>that"
    found = sequences.read(text)
    assert found is not None
    assert found.names == {"A": "the one", "B": "B"}
    assert found.messages == [
        sequences.Message("A", "B", ("hello", "there")),
        sequences.Message("B", "A", ("yes",), is_dashed=True),
        sequences.Message("A", "B", ("after", "that"), is_note=True),
    ]
    page = Page.of(drawn(text) or "")
    assert page.faults == []
    assert "the one → B: hello there" in page.text
    assert "B → the one: yes" in page.text
