"""What models of ours have in common: one spelling in files, sorted sets, lists that one entry may stand for."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from postroom.model import Model, OneOrMore, TextSet
from postroom.pipeline.plan import Settlement
from postroom.pipeline.view import Facts


class Options(Model):
    for_: Annotated[tuple[str, ...], OneOrMore] = Field(default=(), alias="for")
    names: TextSet = frozenset()


WORDS = frozenset(["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"])


@pytest.mark.parametrize(
    "made",
    [Options(names=WORDS).model_dump(mode="json")["names"], Facts(tags=WORDS).model_dump(mode="json")["tags"],
     Settlement(add=WORDS).model_dump(mode="json")["add"]],
    ids=["option", "tags", "flags"],
)  # fmt: skip
def test_sets_have_one_order_in_json(made: list[str]) -> None:
    assert made == sorted(WORDS)


def test_one_entry_stands_for_a_list_of_one() -> None:
    assert Options.model_validate({"for": "a"}, by_alias=True, by_name=False).for_ == ("a",)
    assert Options.model_validate({"for": ["a", "b"]}, by_alias=True, by_name=False).for_ == ("a", "b")
    schema = Options.model_json_schema(by_alias=True)["properties"]["for"]
    assert schema["anyOf"] == [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]


def test_code_uses_the_names_of_python_and_files_do_not() -> None:
    assert Options(for_=("a",)).for_ == ("a",)
    with pytest.raises(ValidationError, match="for_"):
        Options.model_validate({"for_": "a"}, by_alias=True, by_name=False)


def test_errors_do_not_print_what_was_wrong() -> None:
    with pytest.raises(ValidationError) as caught:
        Options.model_validate({"for": {"hunter2": 1}})
    assert "hunter2" not in str(caught.value)
