"""The tables of steps and effects: each word loads, and each step's page in the reference holds examples that work."""

import inspect
from textwrap import dedent
from typing import Any

import pytest
import yaml

from postroom import steps
from postroom.errors import Problem, Temporary
from postroom.pipeline.outcome import Effect
from postroom.pipeline.step import Step
from postroom.settings.words import Words


def examples(page: str) -> list[Any]:
    """The list at a page's end, as YAML."""
    lines = inspect.cleandoc(page).splitlines()
    start = next(number for number, line in enumerate(lines) if line.lstrip().startswith("- "))
    written: list[Any] = yaml.safe_load(dedent("\n".join(lines[start:])))
    return written


@pytest.mark.parametrize("word", steps.STEPS)
def test_a_step_loads_under_the_word_that_it_says(word: str) -> None:
    found = steps.step(word)
    assert issubclass(found, Step)
    assert found.word == word
    assert not inspect.isabstract(found)
    assert found.kind in ("scan", "edit", "home", "act", "steer")
    assert found.main is None or found.main in {field.alias or name for name, field in found.model_fields.items()}


@pytest.mark.parametrize("word", steps.EFFECTS)
def test_an_effect_loads_under_the_word_that_it_says(word: str) -> None:
    found = steps.effect(word)
    assert issubclass(found, Effect)
    assert found.word == word
    assert not inspect.isabstract(found)


@pytest.mark.parametrize("word", steps.STEPS)
def test_the_page_of_a_step_holds_an_example_that_validates(word: str) -> None:
    page = steps.step(word).__doc__
    assert page
    assert page != Step.__doc__
    written = examples(page)
    wrong: list[Problem] = []
    made = Words().steps(written, ("do",), wrong)
    assert wrong == []
    assert [step.word for _, step in made] == [word] * len(written)


@pytest.mark.parametrize("word", ["kep", "", "../move", "file:FileStep"])
def test_a_word_that_is_none_is_not_loaded(word: str) -> None:
    with pytest.raises(KeyError):
        steps.step(word)
    with pytest.raises(Temporary, match="names an effect"):
        steps.effect(word)
