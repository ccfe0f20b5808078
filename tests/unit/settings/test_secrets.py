"""Secrets: where they come from, and that nothing ever shows one."""

import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from postroom.errors import Misconfigured, Temporary
from postroom.settings import load
from postroom.settings.secrets import SecretSource

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

SECRET = "hunter2-of-all-things"


def source(**given: object) -> SecretSource:
    return SecretSource.model_validate(given)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ledger: {pasword: §}", id="misspelt key"),
        pytest.param("ledger: {password: §, passwrd: x}", id="misspelt key beside"),
        pytest.param("ledger: {password: [§]}", id="a list"),
        pytest.param("ledger: {password: {§: §}}", id="a mapping"),
        pytest.param("ledger: {password: §, password-file: §}", id="two of them"),
        pytest.param("ledger: §", id="in place of the mapping"),
        pytest.param("ledger: {url: 'postgresql://a:§@db/x'}", id="in the URL"),
        pytest.param("ledger: {url: 'postgresql://db/x?password=§'}", id="in the URL's query"),
        pytest.param("ledger: {url: §}", id="as the URL"),
        pytest.param("ledger: {password: *§}", id="taken for an alias"),
        pytest.param("ledger: {password: &§ x}", id="taken for an anchor"),
        pytest.param("ledger: {password: !§ x}", id="taken for a tag"),
        pytest.param("ledger: {password: !§!x x}", id="taken for a tag handle"),
        pytest.param("ledger: {password: @§}", id="no YAML"),
        pytest.param("ledger: {password: '§}", id="open quote"),
        pytest.param("ledger:\n  password: a: §", id="a colon"),
        pytest.param('ledger: {password: "\\§"}', id="an escape"),
        pytest.param("ledger: {password: §\x01}", id="a control character"),
        pytest.param("ledger: {password: §, password: §}", id="twice"),
        pytest.param("ledger:\n  password: §\n x: 1", id="broken indentation"),
        pytest.param("mailboxes: {a: {url: 'imaps://u:§@x', store: 5}}", id="a mailbox of later"),
        pytest.param("mailboxes: {a: {url: 'stdin:', store: m, password: §}}", id="where none belongs"),
        pytest.param("logs: {format: §, level: ${SECRET}}", id="in place of a choice"),
        pytest.param("timezone: ${SECRET}\nhost: '${SECRET} '", id="from the environment"),
        pytest.param("secrets: {a: §, b: [§], c: {fil: §}, d: {credential: '/§'}}", id="in place of a source"),
        pytest.param("defaults: {pipeline: '§ '}", id="in place of a name"),
    ],
)
def test_no_error_shows_a_value(site: "Site", text: str, capsys: pytest.CaptureFixture[str]) -> None:
    site.write(text.replace("§", SECRET))
    with pytest.raises(Misconfigured) as caught:
        load(site.config, environment={"SECRET": SECRET})
    error = caught.value
    lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    # A traceback quotes lines of the source, never of the settings.
    shown = [
        str(error),
        repr(error),
        repr(error.args),
        lines,
        *map(repr, error.problems),
        *capsys.readouterr(),
    ]
    assert not [one for one in shown if SECRET in one]
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_settings_never_show_a_password(site: "Site") -> None:
    settings = site.write(f"ledger: {{password: {SECRET}}}").settings()
    assert SECRET not in repr(settings) + str(settings) + str(settings.model_dump()) + settings.model_dump_json()
    assert SECRET not in repr(settings.source)
    secret = settings.ledger.secret()
    assert secret is not None
    assert secret.get_secret_value() == SECRET


def test_a_password_comes_from_the_environment(site: "Site") -> None:
    settings = site.write("ledger: {password: '${DB}'}").settings({"DB": SECRET})
    assert SECRET not in repr(settings)
    assert settings.ledger.password is not None
    assert settings.ledger.password.get_secret_value() == SECRET


def test_a_password_file_is_read_when_needed(site: "Site", tmp_path: Path) -> None:
    settings = site.write("ledger: {password-file: secret}").settings()
    with pytest.raises(Temporary, match=r"secret cannot be read: No such file"):
        settings.ledger.secret()
    (tmp_path / "secret").write_text(f"{SECRET}\r\n")
    secret = settings.ledger.secret()
    assert secret is not None
    assert secret.get_secret_value() == SECRET


def test_a_command_prints_the_secret() -> None:
    found = source(command=(sys.executable, "-c", f"print('{SECRET}')"))
    assert found.reveal().get_secret_value() == SECRET


def test_a_systemd_credential_is_a_file_in_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "db").write_text(SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert source(credential="db").reveal().get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"env": "POSTROOM_NO_SUCH"}, "POSTROOM_NO_SUCH is not set", id="environment"),
        pytest.param({"file": "/nonexistent/x"}, "cannot be read: No such file", id="file"),
        pytest.param({"command": ("/nonexistent/x",)}, "/nonexistent/x failed: No such file", id="no program"),
        pytest.param({"command": ("false",)}, "false ended with status 1", id="program fails"),
        pytest.param({"command": ("true",)}, "true printed nothing", id="program is silent"),
    ],
)
def test_a_secret_that_cannot_be_had_is_a_temporary_error_with_a_reason(given: dict[str, object], told: str) -> None:
    with pytest.raises(Temporary, match=told):
        source(**given).reveal()


def test_a_failing_command_does_not_show_its_arguments_or_output() -> None:
    script = f"import sys; print('{SECRET}'); sys.exit(3)"
    with pytest.raises(Temporary) as caught:
        source(command=(sys.executable, "-c", script)).reveal()
    lines = traceback.TracebackException.from_exception(caught.value).format()
    assert SECRET not in str(caught.value) + repr(caught.value) + "".join(lines)
