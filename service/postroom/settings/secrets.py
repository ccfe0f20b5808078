"""Where secrets come from. They are fetched when needed and never shown: not by repr, error, log or dump."""

import os
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, SecretStr, model_validator

from postroom.errors import Temporary
from postroom.model import Model
from postroom.settings.spelling import FilePath

COMMAND_SECONDS = 30.0
SECRET_LIMIT = 65536


class SecretSource(Model):
    """Where one secret comes from; exactly one of the four."""

    model_config = ConfigDict(defer_build=True, json_schema_extra={"minProperties": 1, "maxProperties": 1})

    env: str | None = Field(default=None, min_length=1, description="Name of an environment variable.")
    file: FilePath | None = Field(default=None, description="A file; line breaks at its end do not count.")
    command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="A program with its arguments; what it prints is the secret."
    )
    credential: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9_.@-]+$", description="A systemd credential (LoadCredential=)."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of `env`, `file`, `command`, `credential`")
        return self

    def reveal(self) -> SecretStr:
        """Fetch it now. Raises Temporary with the source's name and never its contents."""
        if self.env is not None:
            return _checked(os.environ.get(self.env), f"the environment variable {self.env} is not set")
        if self.file is not None:
            return _read(self.file)
        if self.credential is not None:
            return _read(Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")) / self.credential)
        assert self.command is not None
        return _printed(self.command)


def _checked(value: str | None, otherwise: str) -> SecretStr:
    if not value:
        raise Temporary(otherwise)
    return SecretStr(value)


def _read(path: Path) -> SecretStr:
    try:
        with path.open(encoding="utf-8") as stream:
            text = stream.read(SECRET_LIMIT)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise Temporary(f"the secret in {path} cannot be read: {why}") from None
    return _checked(text.rstrip("\r\n"), f"the secret in {path} is empty")


def _printed(command: tuple[str, ...]) -> SecretStr:
    from postroom.settings.printing import printed

    # Only the program is named: an argument may be a secret itself.
    try:
        output, status = printed(command, SECRET_LIMIT, COMMAND_SECONDS)
        text = output.decode("utf-8")
    except (OSError, ValueError) as error:
        raise Temporary(f"the secret command {command[0]} failed: {_reason(error)}") from None
    if status:
        raise Temporary(f"the secret command {command[0]} ended with status {status}")
    return _checked(text.rstrip("\r\n"), f"the secret command {command[0]} printed nothing")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, OSError):
        return error.strerror or "it cannot be started"
    return "it printed no UTF-8 text"
