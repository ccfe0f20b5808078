"""postroom.yaml and pipeline files as typed values, or as everything that is wrong with them."""

from postroom.settings.document import Source
from postroom.settings.library import Loaded, load_pipeline, load_pipelines
from postroom.settings.load import find, load
from postroom.settings.mailboxes import Mailbox
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineFile, RuleEntry

__all__ = [
    "Loaded",
    "Mailbox",
    "PipelineFile",
    "RuleEntry",
    "Settings",
    "Source",
    "find",
    "load",
    "load_pipeline",
    "load_pipelines",
]
