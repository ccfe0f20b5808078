"""The words of `do`: one literal table of steps and one of effects, each loaded when a pipeline first names it.

Loading by name keeps a start of `postroom filter` to the steps that its pipeline uses.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Final, TypeVar

from postroom.errors import Temporary
from postroom.pipeline.outcome import Effect
from postroom.pipeline.step import Step

T = TypeVar("T")

STEPS: Final = {
    "tag": "tag:TagStep",
    "duplicate": "duplicate:DuplicateStep",
    "spam": "spam:SpamStep",
    "authenticate": "authenticate:AuthenticateStep",
    "virus": "virus:VirusStep",
    "script": "script:ScriptStep",
    "subject": "subject:SubjectStep",
    "header": "header:HeaderStep",
    "strip": "strip:StripStep",
    "move": "move:MoveStep",
    "copy": "copy:CopyStep",
    "keep": "keep:KeepStep",
    "discard": "discard:DiscardStep",
    "flag": "flag:FlagStep",
    "unflag": "flag:UnflagStep",
    "file": "file:FileStep",
    "extract": "extract:ExtractStep",
    "archive": "archive:ArchiveStep",
    "exec": "exec:ExecStep",
    "forward": "forward:ForwardStep",
    "quarantine": "quarantine:QuarantineStep",
    "reject": "reject:RejectStep",
    "reply": "reply:ReplyStep",
    "webhook": "webhook:WebhookStep",
    "notify": "notify:NotifyStep",
    "publish": "publish:PublishStep",
    "run": "run:RunStep",
    "stop": "stop:StopStep",
}
EFFECTS: Final = {
    "keep": "store:KeepEffect",
    "move": "store:MoveEffect",
    "copy": "store:CopyEffect",
    "remember": "duplicate:RememberEffect",
    "file": "file:FileEffect",
    "mbox": "file:MboxEffect",
    "extract": "extract:ExtractEffect",
    "archive": "archive:ArchiveEffect",
    "exec": "exec:ExecEffect",
    "forward": "forward:ForwardEffect",
    "bounce": "bounce:BounceEffect",
    "quarantine": "quarantine:QuarantineEffect",
    "reject": "reject:RejectEffect",
    "reply": "reply:ReplyEffect",
    "webhook": "webhook:WebhookEffect",
    "notify": "notify:NotifyEffect",
    "publish": "publish:PublishEffect",
}


def step(word: str) -> type[Step]:
    """The step behind a word. Raises KeyError for a word that is none."""
    return _load(STEPS[word], Step)  # type: ignore[type-abstract]  # the table holds concrete ones, a test loads all


def effect(word: str, plugins: Sequence[str] = ()) -> type[Effect]:
    """The effect behind a word of the ledger, ours or an admitted plugin's. Raises Temporary where there is none."""
    if word in EFFECTS:
        return _load(EFFECTS[word], Effect)  # type: ignore[type-abstract]  # as above
    if plugins:
        from postroom.steps.plugins import plugin  # scans installed packages: only where there are any

        for found in filter(None, map(plugin, plugins)):
            for one in found.effects:
                if one.word == word:
                    return one
    raise Temporary(f"no step of ours nor of a plugin that the settings admit names an effect `{word}`")


def _load(spec: str, kind: type[T]) -> type[T]:
    module, _, name = spec.partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), name)
    assert isinstance(found, type)
    assert issubclass(found, kind)
    return found
