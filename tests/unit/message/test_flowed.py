"""Format=flowed (RFC 3676)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.flowed import unflow


@pytest.mark.parametrize(
    ("text", "delsp", "expected"),
    [
        pytest.param("one \ntwo \nthree\nfour\n", False, "one two three\nfour\n", id="soft-breaks"),
        pytest.param("one \r\ntwo\r\n", False, "one two\n", id="crlf"),
        pytest.param("日本 \n語 \nです\n", True, "日本語です\n", id="delsp"),
        pytest.param("one  \ntwo\n", True, "one two\n", id="delsp-takes-one-space"),
        pytest.param(" From here\n  two\n >no quote\n", False, "From here\n two\n>no quote\n", id="space-stuffing"),
        pytest.param("> a \n> b\n>> c \n>>d\n", False, "> a b\n>> c d\n", id="quotes"),
        pytest.param("> a \n>> b\nc\n", False, "> a \n>> b\nc\n", id="level-change-ends-a-paragraph"),
        pytest.param("text \n-- \nme\n", False, "text \n-- \nme\n", id="signature-separator"),
        pytest.param("> text \n> -- \n> me\n", False, "> text \n> -- \n> me\n", id="quoted-signature"),
        pytest.param("one \n", False, "one \n", id="soft-break-at-the-end"),
        pytest.param("one \n\ntwo", False, "one \ntwo", id="soft-break-before-an-empty-line"),
        pytest.param("", False, "", id="empty"),
    ],
)
def test_paragraphs_are_joined(text: str, delsp: bool, expected: str) -> None:
    assert unflow(text, delsp) == expected


@given(st.text(alphabet="a> -\r\n", max_size=60), st.booleans())
def test_no_character_but_space_break_and_quote_is_lost(text: str, delsp: bool) -> None:
    marks = str.maketrans("", "", "> \r\n")
    assert unflow(text, delsp).translate(marks) == text.translate(marks)


@given(st.lists(st.text(alphabet="abc", min_size=1), max_size=5))
def test_fixed_lines_stay_as_they_are(lines: list[str]) -> None:
    assert unflow("\n".join(lines), delsp=False) == "\n".join(lines)
