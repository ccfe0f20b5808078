"""`${NAME}` in texts."""

import pytest

from postroom.settings.document import parse_document
from postroom.settings.environment import with_environment

ENVIRONMENT = {"NAME": "value", "EMPTY": "", "NESTED": "${NAME}", "YAML": "a: [1, *x]"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("${NAME}", "value", id="alone"),
        pytest.param("a-${NAME}-${NAME}", "a-value-value", id="within"),
        pytest.param("$${NAME}", "${NAME}", id="literal"),
        pytest.param("$NAME", "$NAME", id="a dollar sign alone is text"),
        pytest.param("${EMPTY}", "", id="empty"),
        pytest.param("${NESTED}", "${NAME}", id="not replaced again"),
        pytest.param("${YAML}", "a: [1, *x]", id="never YAML"),
    ],
)
def test_variables_are_replaced_after_parsing(text: str, value: str) -> None:
    document = with_environment(parse_document(f"a: ['{text}']".encode(), "f"), ENVIRONMENT)
    assert document.data == {"a": [value]}
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("${NOPE}", "the environment variable NOPE is not set", id="missing"),
        pytest.param("${1A}", "`${` begins a variable, `${NAME}`; write `$${` for the text itself", id="no name"),
        pytest.param("${A", "`${` begins a variable, `${NAME}`; write `$${` for the text itself", id="open"),
    ],
)
def test_a_variable_that_cannot_be_replaced_is_named_with_its_place(text: str, told: str) -> None:
    document = with_environment(parse_document(f"a:\n  b: '{text}'".encode(), "f"), ENVIRONMENT)
    assert [str(one) for one in document.problems] == [f"f:2:6: a.b: {told}"]


def test_keys_are_not_replaced() -> None:
    assert with_environment(parse_document(b"'${NAME}': 1", "f"), ENVIRONMENT).data == {"${NAME}": 1}
