import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.pipeline.outcome import Fact
from postroom.pipeline.view import Facts


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        pytest.param("urgent", {"urgent"}, id="one"),
        pytest.param(["urgent", "customer"], {"urgent", "customer"}, id="several"),
    ],
)
def test_tags_become_facts_beside_those_that_are_there(written: object, tags: set[str]) -> None:
    step = steps.step("tag").model_validate({"tags": written})
    [fact] = step.plan(testing.view(), testing.tools())
    assert fact == Fact(Facts(tags=frozenset(tags)))
    assert Facts(tags=frozenset({"old"})).joined(fact.facts).tags == {"old", *tags}


@pytest.mark.parametrize("written", [[], "", [""], 7], ids=["none", "empty", "an empty one", "a number"])
def test_a_tag_is_a_text_that_is_not_empty(written: object) -> None:
    with pytest.raises(ValidationError):
        steps.step("tag").model_validate({"tags": written})
