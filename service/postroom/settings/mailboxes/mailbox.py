"""What all mailboxes have in common."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from postroom.model import Model, OneOrMore
from postroom.pipeline.plan import Plan
from postroom.settings.spelling import SETTINGS, Name
from postroom.units import Duration


class MoveTo(Model):
    """A folder for messages that live elsewhere now."""

    model_config = SETTINGS

    move: str = Field(min_length=1, description="The folder.")


Handled = Literal["leave", "seen", "delete"] | MoveTo
KeepOnServer = bool | Duration


class Mailbox(Model):
    """Where messages come from and which pipeline they go through. The kind is the scheme of `url`."""

    model_config = SETTINGS

    kind: ClassVar[str]
    settles: ClassVar[bool] = False
    """Whether something is to be done at the source when a message is done."""

    url: str
    pipeline: Name | None = Field(
        default=None, description="A file in `pipelines`, without .yaml; default: `defaults.pipeline`."
    )
    addresses: Annotated[tuple[str, ...], OneOrMore] = Field(
        default=(), description="Addresses that are ours; default: the user or the envelope's recipients."
    )

    @property
    def stores(self) -> tuple[Path | None, ...]:
        """The stores where this mailbox keeps messages; None: `store: none`. Empty: it keeps them itself."""
        return ()

    @property
    def ours(self) -> tuple[str, ...]:
        """Addresses that are ours, as far as the settings tell."""
        return self.addresses

    def is_settled_by(self, plan: Plan) -> bool:
        """Whether nothing is left to do at the source once a worker has carried out this plan."""
        return not self.settles
