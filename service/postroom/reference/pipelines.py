"""docs/pipelines.md."""

from inspect import cleandoc
from typing import Final

from pydantic import BaseModel

from postroom.pipeline.view import Auth, Facts, Spam, Virus
from postroom.reference.entries import entries, table
from postroom.settings.cases import AttachmentText, Case, ShortMessage
from postroom.settings.pipelines import PipelineText, RuleText

SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "The file": PipelineText,
    "`rules`": RuleText,
    "`tests`": Case,
    "`message` of a test": ShortMessage,
    "`attachments` of its message": AttachmentText,
    "`facts` of a test": Facts,
    "`spam` of its facts": Spam,
    "`auth` of its facts": Auth,
    "`virus` of its facts": Virus,
}


def page() -> str:
    """Keys of a pipeline file, of its rules and of its tests."""
    return "".join(
        f"\n## {name}\n\n{cleandoc(model.__doc__ or '')}\n\n{table(entries(model))}" for name, model in SECTIONS.items()
    )
