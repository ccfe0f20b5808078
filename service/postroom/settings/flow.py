"""What only shows when pipelines are read together: `run`, facts that reach a rule, rules never reached."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from postroom.errors import Located, Problem
from postroom.pipeline.step import Step
from postroom.pipeline.templates import Template
from postroom.settings.document import Trail
from postroom.settings.pipelines import PipelineFile, RuleEntry
from postroom.suggestions import suggestion

Facts = frozenset[str]
_GIVERS = {
    "spam": "`spam`",
    "virus": "`virus`",
    "auth": "`authenticate`",
    "duplicate": "`duplicate`",
    "tag": "`tag`",
    "script": "`script`",
}


@dataclass(frozen=True, slots=True)
class Way:
    """How a message comes to a rule: through which pipelines, and with which facts. None: nobody can tell."""

    callers: tuple[str, ...]
    facts: Facts | None


@dataclass(slots=True)
class Flow:
    """Walks pipelines as messages do and collects what is wrong on the way."""

    files: Mapping[str, PipelineFile | None]  # None: there is such a file, but it is no YAML
    secrets: frozenset[str] | None = None  # None: not known, so not asked
    visited: set[str] = field(default_factory=set)
    found: dict[Located, None] = field(default_factory=dict)
    servers: frozenset[str] | None = None  # likewise
    given: frozenset[str] | None = None  # keys of postroom.yaml that say something; likewise
    _walked: dict[tuple[str, Facts | None], tuple[Facts | None, bool]] = field(default_factory=dict)

    def enter(self, name: str, way: Way) -> tuple[Facts | None, bool]:
        """Walk one pipeline. Answers with the facts known behind it and whether it always ends the plan."""
        file = self.files[name]
        self.visited.add(name)
        if file is None:
            return None, False
        known = (name, way.facts)
        if known not in self._walked:
            self._walked[known] = way.facts, False
            self._walked[known] = self._rules(file, way)
        return self._walked[known]

    def _rules(self, file: PipelineFile, way: Way) -> tuple[Facts | None, bool]:
        facts, ended, behind = way.facts, False, ""
        if any(one.problem.path[:1] == ("rules",) for one in file.problems):
            facts = None  # the step that gives a fact may be the broken one
        for number, entry in enumerate(file.entries):
            if behind:
                does = "stops" if ended else "matches"
                told = f"is never reached: the rule `{behind}` before it always {does}"
                self._wrong(file, Problem(entry.trail, told))
                break
            self._asked(file, entry, Way(way.callers, facts))
            facts, stops = self._steps(file, entry, Way(way.callers, facts))
            if not entry.conditional and entry.name:
                first = file.pipeline.match == "first"
                behind = entry.name if stops or first else ""
                ended = stops and (number == 0 or not first)
        return facts, ended

    def _steps(self, file: PipelineFile, entry: RuleEntry, way: Way) -> tuple[Facts | None, bool]:
        facts, stops = way.facts, False
        for trail, step in entry.steps:
            if stops:
                self._wrong(file, Problem(trail, f"`{step.word}` is never reached: the step before it stops"))
                break
            self._templates(file, entry, trail, step, Way(way.callers, facts))
            for called in self._named(file, trail, step):
                facts, stops = self._run(file, trail, called, Way(way.callers, facts))
            facts = None if facts is None else facts | step.gives()
            stops = stops or step.word == "stop"
        return facts, stops

    def _run(self, file: PipelineFile, trail: Trail, called: str, way: Way) -> tuple[Facts | None, bool]:
        name = file.pipeline.name
        round_trip = (*way.callers, name)
        if called in round_trip:
            circle = " → ".join((*round_trip[round_trip.index(called) :], called))
            self._wrong(file, Problem(trail, f"pipelines run each other in a loop: {circle}"))
            return way.facts, False
        return self.enter(called, Way(round_trip, way.facts))

    def _named(self, file: PipelineFile, trail: Trail, step: Step) -> Iterator[str]:
        for reference in step.names():
            if reference.kind == "pipeline":
                if reference.name in self.files:
                    yield reference.name
                else:
                    told = f"there is no pipeline `{reference.name}`{suggestion(reference.name, self.files)}"
                    self._wrong(file, Problem(trail, told))
            elif reference.kind == "file" and not (file.path.parent / reference.name).is_file():
                self._wrong(file, Problem(trail, f"there is no file `{reference.name}` beside the pipeline"))
            elif reference.kind == "secret" and self.secrets is not None and reference.name not in self.secrets:
                near = suggestion(reference.name, self.secrets)
                told = f"postroom.yaml has no secret `{reference.name}`{near}"
                self._wrong(file, Problem(trail, told))
            elif reference.kind == "setting" and self.given is not None and reference.name not in self.given:
                self._wrong(file, Problem(trail, f"needs `{reference.name}` in postroom.yaml"))
            elif reference.kind == "server" and self.servers is not None and reference.name not in self.servers:
                told = (
                    f"postroom.yaml has no server `{reference.name}`{suggestion(reference.name, self.servers)}"
                    if reference.name
                    else "names no `server`, and postroom.yaml has no `defaults: {server: …}`"
                )
                self._wrong(file, Problem(trail, told))

    def _asked(self, file: PipelineFile, entry: RuleEntry, way: Way) -> None:
        if entry.when is None or way.facts is None:
            return
        for fact in sorted(set(entry.when.facts()) - way.facts):
            trail = place_of(fact, entry.asks, (*entry.trail, "when"))
            self._wrong(file, Problem(trail, _ungiven(fact, way), key=True))

    def _templates(self, file: PipelineFile, entry: RuleEntry, trail: Trail, step: Step, way: Way) -> None:
        groups = set(entry.when.groups()) if entry.when else set()
        for place, template in templates(step):
            for name in sorted(template.groups - groups) if entry.when or not entry.conditional else ():
                told = f"no pattern under this rule's `when` has a group `{name}`{suggestion(name, groups)}"
                self._wrong(file, Problem((*trail, *place), told))
            for fact in sorted(template.facts - way.facts) if way.facts is not None else ():
                self._wrong(file, Problem((*trail, *place), _ungiven(fact, way)))

    def _wrong(self, file: PipelineFile, problem: Problem) -> None:
        self.found[file.source.locate(problem)] = None


def _ungiven(fact: str, way: Way) -> str:
    giver = _GIVERS.get(fact.partition(".")[0], "")
    told = f"no earlier step gives `{fact}`" + (f": put a step {giver} into a rule before this one" if giver else "")
    return told + (f" (run by `{way.callers[-1]}`)" if way.callers else "")


def templates(value: object, place: Trail = ()) -> Iterator[tuple[Trail, Template]]:
    """All templates among a step's options, each with its path."""
    if isinstance(value, Template):
        yield place, value
    elif isinstance(value, Step):
        for name, option in type(value).model_fields.items():
            yield from templates(getattr(value, name), (*place, option.alias or name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from templates(one, (*place, str(key)))
    elif isinstance(value, (tuple, list)):
        for number, one in enumerate(value):
            yield from templates(one, (*place, number))


def place_of(fact: str, asks: object, trail: Trail) -> Trail:
    """Where under `when` a fact is asked for: the first key of its name, else all of `when`."""
    return next(_places(fact.split("."), asks, trail), trail)


def _places(names: list[str], asks: object, trail: Trail) -> Iterator[Trail]:
    if isinstance(asks, list):
        for number, one in enumerate(asks):
            yield from _places(names, one, (*trail, number))
    elif isinstance(asks, dict):
        for key, value in asks.items():
            if key == names[0]:
                deeper = next(_places(names[1:], value, (*trail, key)), None) if names[1:] else None
                yield deeper or (*trail, key)
            elif key in ("all", "any", "not"):
                yield from _places(names, value, (*trail, key))
