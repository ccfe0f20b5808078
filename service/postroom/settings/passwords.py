"""A password in postroom.yaml: written down, or where it is to be found; at most one of the four ways."""

from typing import Any, Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from postroom.model import Model
from postroom.settings.secrets import SecretSource
from postroom.settings.spelling import SETTINGS, FilePath

KEYS = ("password", "password-file", "password-command", "password-credential")
ONE_OF: dict[str, Any] = {
    "allOf": [{"not": {"required": [a, b]}} for n, a in enumerate(KEYS) for b in KEYS[n + 1 :]],
}


class WithPassword(Model):
    """What is opened with a password."""

    model_config = SETTINGS | ConfigDict(json_schema_extra=ONE_OF)

    password: SecretStr | None = Field(
        default=None, description="The password, better as `${NAME}`; better still one of the next three."
    )
    password_file: FilePath | None = Field(default=None, description="A file that holds the password.")
    password_command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="A program with its arguments that prints the password."
    )
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.@-]+$",
        description="A systemd credential that holds the password.",
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if sum(name.startswith("password") for name in self.model_fields_set) > 1:
            raise ValueError("give only one of " + ", ".join(f"`{name}`" for name in KEYS))
        return self

    @property
    def has_password(self) -> bool:
        """Whether one of the four keys stands there."""
        return any(name.startswith("password") for name in self.model_fields_set)

    def secret(self) -> SecretStr | None:
        """The password, fetched now; None where none is named. Raises Temporary."""
        source: SecretSource | None = None
        if self.password_file is not None:
            source = SecretSource(file=self.password_file)
        elif self.password_command is not None:
            source = SecretSource(command=self.password_command)
        elif self.password_credential is not None:
            source = SecretSource(credential=self.password_credential)
        return source.reveal() if source else self.password
