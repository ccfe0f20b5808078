from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from postroom import testing
from postroom.message import parse
from postroom.pipeline.conditions import compile_condition
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.planner import explain, plan
from postroom.pipeline.ruleindex import FEW
from postroom.steps.move import MoveStep
from postroom.steps.subject import SubjectStep
from postroom.steps.tag import TagStep

PATTERNS = st.text("ab*?\\[x", min_size=1, max_size=6).filter(lambda text: not text.endswith("\\"))
CONDITIONS = st.one_of(
    st.fixed_dictionaries({"subject": PATTERNS}),
    st.fixed_dictionaries({"from": st.lists(PATTERNS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"subject": PATTERNS, "to": PATTERNS}),
    st.fixed_dictionaries({"not": st.fixed_dictionaries({"subject": PATTERNS})}),
    st.fixed_dictionaries({"any": st.lists(st.fixed_dictionaries({"subject": PATTERNS}), min_size=1, max_size=3)}),
    st.fixed_dictionaries({"header.X-A": PATTERNS}),
    st.fixed_dictionaries({"subject": st.fixed_dictionaries({"exists": st.booleans()})}),
)


def pipeline(conditions, steps):
    problems = []
    rules = tuple(
        Rule(name=f"r{number}", when=compile_condition(when, (), problems, directory=Path()), do=(steps(number),))
        for number, when in enumerate(conditions)
    )
    assert problems == []
    return {"p": Pipeline(name="p", version="1", rules=rules)}


@given(
    st.lists(CONDITIONS, min_size=FEW, max_size=FEW + 8),
    st.text("abx[", max_size=8),
    st.text("ab", min_size=1, max_size=4),
    st.lists(st.text("ab", max_size=3), max_size=2),
)
def test_the_index_changes_no_answer(conditions, subject, local, headers):
    pipelines = pipeline(conditions, lambda number: TagStep(tags=(f"t{number}",)))
    raw = testing.message(subject=subject, from_=f"{local}@a.example", headers={"X-A": headers})
    indexed = plan(pipelines, "p", testing.view(raw), testing.tools())
    asked = explain(pipelines, "p", testing.view(raw), testing.tools()).plan
    assert indexed == asked


def test_an_edit_in_between_is_seen_by_the_rules_after_it():
    conditions = [{"subject": "hello"}, *[{"subject": f"x{n}"} for n in range(FEW)], {"subject": "changed"}]
    steps = {0: SubjectStep.model_validate({"set": "changed"}), FEW + 1: MoveStep.model_validate({"folder": "Seen"})}
    pipelines = pipeline(conditions, lambda number: steps.get(number, TagStep(tags=("never",))))
    made = plan(pipelines, "p", testing.view(testing.message(subject="hello")), testing.tools())
    assert [str(line) for line in made.lines] == ["subject changed", "move Seen"]
    assert made.trace.passed == FEW


def test_rules_that_cannot_hold_are_not_even_asked():
    pipelines = pipeline([{"subject": f"word{n}"} for n in range(1000)], lambda n: TagStep(tags=(f"t{n}",)))
    view = testing.view(message=parse(testing.message(subject="word7")))
    index = pipelines["p"].index
    assert index.after(view, 0) == 7
    assert index.after(view, 8) is None
