from collections.abc import Mapping

from postroom import steps, testing
from postroom.pipeline.outcome import Run, Stop
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.planner import plan
from postroom.pipeline.step import Reference, Step


def step(word: str, **options: object) -> Step:
    return steps.step(word).model_validate(options)


def pipeline(name: str, *rules: tuple[Step, ...]) -> Mapping[str, Pipeline]:
    made = tuple(Rule(name=f"rule {number}", when=None, do=do) for number, do in enumerate(rules, 1))
    return {name: Pipeline(name=name, version="1", rules=made)}


def test_run_names_the_pipeline_for_check_and_runs_it() -> None:
    made = step("run", pipeline="spam")
    assert [*made.plan(testing.view(), testing.tools())] == [Run("spam")]
    assert [*made.names()] == [Reference("pipeline", "spam")]


def test_stop_says_so_and_nothing_else() -> None:
    assert [*step("stop").plan(testing.view(), testing.tools())] == [Stop()]


def test_a_stop_in_a_pipeline_that_is_run_ends_its_callers_too() -> None:
    inner = pipeline("inner", (step("tag", tags="in"), step("stop"), step("tag", tags="never 1")))
    outer = pipeline("outer", (step("run", pipeline="inner"), step("tag", tags="never 2")), (step("tag", tags="no"),))
    made = plan({**inner, **outer}, "outer", testing.view(), testing.tools())
    assert made.facts.tags == {"in"}


def test_after_a_pipeline_that_was_run_the_next_step_goes_on() -> None:
    inner = pipeline("inner", (step("tag", tags="in"),))
    outer = pipeline("outer", (step("run", pipeline="inner"), step("tag", tags="on")))
    assert plan({**inner, **outer}, "outer", testing.view(), testing.tools()).facts.tags == {"in", "on"}
