"""The cursor of the log: it comes back as it went, sorts as the log does, and nothing else passes for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.cursors import POSITION_MAX, NotACursor, print_cursor, read_cursor

POSITIONS = st.integers(0, POSITION_MAX)


@given(POSITIONS)
def test_a_cursor_comes_back_as_the_position_it_was_made_of(position: int) -> None:
    assert read_cursor(print_cursor(position)) == position


@given(POSITIONS, POSITIONS)
def test_cursors_sort_as_their_positions_do(one: int, other: int) -> None:
    assert (print_cursor(one) < print_cursor(other)) == (one < other)


@pytest.mark.parametrize(
    "text",
    [
        "", "latest", "1", "cur_", "cur_1", "cur_zzzzzzzzzzzzz", "cur_000000000000u", "évt", "x" * 500,
        print_cursor(1) + "0", print_cursor(1).upper(), " " + print_cursor(1), print_cursor(1) + "\n",
    ],
)  # fmt: skip
def test_what_was_never_given_out_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(NotACursor, match="looks like cur_0000000000001"):
        read_cursor(text)


def test_the_largest_position_has_a_cursor_and_nothing_larger_is_read() -> None:
    assert read_cursor(print_cursor(POSITION_MAX)) == POSITION_MAX
    with pytest.raises(NotACursor):
        read_cursor("cur_8000000000000")
