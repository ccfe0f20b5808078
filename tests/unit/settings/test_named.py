"""Files that settings name and that are worth a look."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

ACCOUNT = 'mailboxes:\n  a: {url: "imaps://u@x.example", password-file: secret, pipeline: main}\n'


def noted(site: "Site", text: str = ACCOUNT) -> list[str]:
    found = site.write(text).pipeline("main", "rules: [{name: all, do: keep}]").review()
    assert found.problems == ()
    return [str(one).removeprefix(f"{site.config}:") for one in found.notes]


def test_a_secret_that_is_not_there_is_worth_a_note_and_no_problem(site: "Site", tmp_path: Path) -> None:
    told = f"2:50: mailboxes.a.password-file: there is no file {tmp_path}/secret; it is needed once the service runs"
    assert noted(site) == [told]


@pytest.mark.parametrize(("mode", "told"), [(0o600, 0), (0o640, 0), (0o644, 1)])
def test_a_secret_that_everybody_can_read_is_worth_a_note(site: "Site", tmp_path: Path, mode: int, told: int) -> None:
    (tmp_path / "secret").write_text("geheim")
    os.chmod(tmp_path / "secret", mode)
    found = noted(site)
    assert len(found) == told
    assert all("chmod o-r" in one and "geheim" not in one for one in found)


def test_certificates_are_for_everybodys_eyes(site: "Site", tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    os.chmod(tmp_path / "ca.pem", 0o644)
    text = ACCOUNT.replace("password-file: secret", 'password: "x", tls-ca: ca.pem')
    assert noted(site, text) == []


def test_secrets_of_pipelines_servers_and_keys_are_looked_for_too(site: "Site") -> None:
    text = (
        "secrets: {one: {file: a}, two: [{file: b}, {env: C}]}\n"
        "servers: {relay: {url: smtp://u@x.example, password-file: d}}\n"
        "srs: {domain: example.com, secret-file: e}\n"
        "arc: {domain: example.com, selector: s, key-file: f}\n"
    )
    places = [one.split(": ")[1] for one in noted(site, text)]
    assert places == [
        "secrets.one.file",
        "secrets.two[0].file",
        "servers.relay.password-file",
        "srs.secret-file",
        "arc.key-file",
    ]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (
            "{exec: [/nowhere/ticket, --new]}",
            ["main.yaml:1:24: rules[0].do.exec.command[0]: there is no program /nowhere/ticket"],
        ),
        (
            "{script: {name: s, command: [no-such-program]}}",
            ["main.yaml:1:52: rules[0].do.script.command[0]: there is no program no-such-program"],
        ),
        ("{exec: [/bin/sh, -c, exit]}", []),
        ("{exec: ['/opt/{{ mailbox }}/run']}", []),
    ],
    ids=["a path", "a name", "one that is there", "one that a value makes"],
)
def test_a_program_that_cannot_be_started_is_worth_a_note(site: "Site", step: str, told: list[str]) -> None:
    found = site.write(ACCOUNT.replace("password-file: secret", "password: x"))
    found = site.pipeline("main", f"rules: [{{name: a, do: {step}}}]").review()
    assert found.problems == ()
    assert [str(one).partition(" that this user")[0].rpartition("/pipelines/")[2] for one in found.notes] == told
