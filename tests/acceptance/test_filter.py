"""`postroom filter` as its callers see it: exit status, what is in the store, and what a second offer does."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from postroom.testing import message

LETTER = message(from_="jane@home.example", to="you@home.example", subject="Sunday", text="Lunch?")


def test_a_message_that_no_rule_takes_is_kept_in_the_store(site):
    done = site.filter(LETTER)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    [kept] = site.mail()
    assert kept.read_bytes().replace(b"\r\n", b"\n").endswith(LETTER.replace(b"\r\n", b"\n"))


def test_the_state_directory_is_made_private(site):
    site.filter(LETTER)
    assert (site.root / "state").stat().st_mode & 0o777 == 0o700
    assert (site.root / "state/ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_move_puts_the_message_into_a_maildir_folder_with_its_flags(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{flag: '\\Seen'}, {move: Archive/2026}]}\n")
    assert site.filter(LETTER).returncode == 0
    [moved] = site.mail("Archive/2026")
    assert moved.parent.name == "cur"
    assert moved.name.endswith(":2,S")


def test_discard_leaves_nothing_in_the_store(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: discard}\n")
    assert site.filter(LETTER).returncode == 0
    assert site.everything() == []


def test_a_reject_ends_with_77_and_says_why_first(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{reject: no soliciting}]}\n")
    done = site.filter(LETTER)
    assert done.returncode == 77
    assert (done.stdout + done.stderr).startswith(b"5.7.1 no soliciting")
    assert site.everything() == []


def test_a_reject_is_answered_the_same_when_offered_again(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{reject: no}]}\n")
    assert [site.filter(LETTER).returncode for _ in range(2)] == [77, 77]


def test_the_same_offer_soon_after_is_not_processed_twice(site):
    assert [site.filter(LETTER).returncode for _ in range(2)] == [0, 0]
    assert len(site.mail()) == 1


def test_the_same_message_is_processed_anew_with_again(site):
    site.filter(LETTER)
    assert site.filter(LETTER, "--again").returncode == 0
    assert len(site.mail()) == 2


@pytest.mark.parametrize(
    "wrapping",
    [
        b"From jane@home.example Sun Mar  1 18:30:00 2026\n",
        b"Return-Path: <jane@home.example>\n",
        b"Delivered-To: you@home.example\nX-Original-To: you@home.example\n",
        b"Received: from pop.example [192.0.2.1]\n\tby localhost with POP3 (fetchmail-6.4.37)\n\tfor <you@localhost> (single-drop); Sun\n",
        b"Received: from unknown by box with SimplePOP3Retriever getmail6 msgid:pop3/1; 01 Mar 2026 10:00:00 -0000\n",
    ],
    ids=["From_ line", "Return-Path", "Delivered-To", "fetchmail", "getmail"],
)
def test_what_a_carrier_adds_on_its_next_try_does_not_make_a_new_message(site, wrapping):
    options = ("--sender", "jane@home.example", "--recipient", "you@home.example")
    site.filter(LETTER, *options)
    site.filter(wrapping + LETTER, *options)
    assert len(site.mail()) == 1


def test_messages_that_differ_below_the_header_are_different(site):
    site.filter(LETTER)
    site.filter(LETTER + b"more\n")
    assert len(site.mail()) == 2


def test_a_temporary_failure_ends_with_75_and_the_next_offer_resumes_without_repeating(site, tmp_path):
    ran, gate = tmp_path / "ran", tmp_path / "gate"
    site.pipeline(
        "name: main\nrules:\n  - name: r\n    do:\n"
        f"      - exec: [/bin/sh, -c, 'cat >/dev/null; echo x >> {ran}']\n"
        f"      - exec: [/bin/sh, -c, 'cat >/dev/null; test -e {gate} || exit 75']\n"
    )
    first = site.filter(LETTER)
    assert first.returncode == 75
    assert first.stderr.startswith(b"4.3.0 ")
    assert site.everything() == []
    gate.touch()
    assert site.filter(LETTER).returncode == 0
    assert ran.read_text() == "x\n"
    assert len(site.mail()) == 1


def test_a_resumed_message_follows_the_plan_that_was_stored_although_the_rules_changed(site, tmp_path):
    gate = tmp_path / "gate"
    site.pipeline(
        "name: main\nrules:\n  - name: r\n    do:\n"
        f"      - exec: [/bin/sh, -c, 'cat >/dev/null; test -e {gate}']\n      - move: Old\n"
    )
    assert site.filter(LETTER).returncode == 75
    gate.touch()
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{move: New}]}\n")
    assert site.filter(LETTER).returncode == 0
    assert (len(site.mail("Old")), len(site.mail("New"))) == (1, 0)


def test_an_effect_that_failed_for_good_keeps_the_message_in_the_store(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{exec: [/bin/sh, -c, 'exit 65']}, discard]}\n")
    assert site.filter(LETTER).returncode == 0
    assert len(site.mail()) == 1
    listed = site.run("messages", "--dead", "--json")
    assert b'"dead"' in listed.stdout


def test_pass_writes_the_edited_message_instead_of_keeping_it(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{subject: {prefix: '[x] '}}]}\n")
    done = site.filter(LETTER, "--pass")
    assert done.returncode == 0
    assert done.stdout == LETTER.replace(b"Subject: Sunday", b"Subject: [x] Sunday")
    assert site.everything() == []


def test_pass_writes_the_message_again_when_it_is_offered_again(site):
    assert site.filter(LETTER, "--pass").stdout == site.filter(LETTER, "--pass").stdout == LETTER


def test_pass_writes_the_from_line_back(site):
    raw = b"From jane@home.example Sun Mar  1 18:30:00 2026\n" + LETTER
    assert site.filter(raw, "--pass").stdout == raw


def test_pass_writes_nothing_for_a_message_that_went_elsewhere(site):
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{move: Else}]}\n")
    done = site.filter(LETTER, "--pass")
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(site.mail("Else")) == 1


def test_pass_into_a_closed_pipe_is_75_and_the_message_is_not_lost(site):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run(
            site.command("filter", "--pass"),
            input=LETTER,
            stdout=closed,
            stderr=subprocess.PIPE,
            cwd=site.root,
            check=False,
        )
    assert done.returncode == 75
    assert site.filter(LETTER, "--pass").stdout == LETTER


@pytest.mark.parametrize(
    ("environment", "options", "sender", "recipients"),
    [
        ({"SENDER": "s@x.example", "RECIPIENT": "r@y.example"}, (), "s@x.example", '["r@y.example"]'),
        ({"SENDER": "MAILER-DAEMON"}, (), "", "[]"),
        ({"SENDER": "", "RECIPIENT": "r@y.example", "EXTENSION": "lists"}, (), "", '["r+lists@y.example"]'),
        ({"RECIPIENT": "r+lists@y.example", "EXTENSION": "lists"}, (), None, '["r+lists@y.example"]'),
        (
            {"SENDER": "s@x.example"},
            ("--sender", "t@x.example", "--recipient", "a@b", "--recipient", "c@d"),
            "t@x.example",
            '["a@b", "c@d"]',
        ),
        ({}, ("--sender", "<>"), "", "[]"),
    ],
    ids=[
        "environment",
        "null sender",
        "extension",
        "extension named twice",
        "options win",
        "written null sender",
    ],
)
def test_the_envelope_comes_from_options_then_environment(site, environment, options, sender, recipients):
    site.pipeline(
        "name: main\nrules:\n  - name: r\n    do:\n"
        "      - exec: [/bin/sh, -c, 'cat >/dev/null; printf \"%s|%s\" \"$0\" \"$1\" > {root}/seen', '{{ sender }}', '{{ recipient }}']\n".replace(
            "{root}", str(site.root)
        )
    )
    assert site.filter(LETTER, *options, **environment).returncode == 0
    first = recipients.strip('[]"').split('"')[0]
    assert (site.root / "seen").read_text() == f"{sender or ''}|{first}"


def test_a_broken_pipeline_is_75_and_says_where(site):
    site.pipeline("name: main\nrules:\n  - {name: r, dö: keep}\n")
    done = site.filter(LETTER)
    assert done.returncode == 75
    assert b"main.yaml:3:" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--no-such-option",), ("--pipeline",), ("--mailbox", "nobody"), ("--pipeline", "nothing")]
)
def test_wrong_usage_is_75_too_because_everything_else_would_bounce_the_mail(site, arguments):
    done = site.filter(LETTER, *arguments)
    assert done.returncode == 75
    assert done.stderr.startswith(b"4.3.0 ")
    assert b"Traceback" not in done.stderr


def test_no_configuration_at_all_is_75_and_names_the_remedy(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "postroom", "filter"],
        input=LETTER,
        capture_output=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 75
    assert b"postroom init" in done.stderr


def test_a_failed_import_is_75(site):
    (site.root / "broken").mkdir()
    (site.root / "broken" / "yaml.py").write_text("raise ImportError('no yaml here')\n")
    done = site.filter(LETTER, PYTHONPATH=str(site.root / "broken"))
    assert done.returncode == 75
    assert b"Traceback" not in done.stderr


def test_a_corrupt_ledger_is_75_with_a_sentence(site):
    site.filter(LETTER)
    (site.root / "state/ledger.db").write_bytes(b"this is no database" * 100)
    for leftover in (site.root / "state").glob("ledger.db-*"):
        leftover.unlink()
    done = site.filter(LETTER + b"x")
    assert done.returncode == 75
    assert b"ledger.db" in done.stderr


def test_blobs_without_a_ledger_are_75_because_something_is_missing(site):
    site.filter(LETTER + b"x" * 300_000)
    for file in (site.root / "state").glob("ledger.db*"):
        file.unlink()
    done = site.filter(LETTER)
    assert done.returncode == 75
    assert b"ledger" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM])
def test_every_signal_is_75_and_the_next_offer_resumes(site, tmp_path, number):
    started = tmp_path / "started"
    os.mkfifo(started)
    site.pipeline(
        f"name: main\nrules:\n  - {{name: r, do: [{{exec: [/bin/sh, -c, 'cat >/dev/null; test -p {started} && echo > {started} && sleep 60']}}]}}\n"
    )
    with subprocess.Popen(
        site.command("filter"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=site.root
    ) as process:
        process.stdin.write(LETTER)
        process.stdin.close()
        started.read_text()  # returns once the program runs
        process.send_signal(number)
        assert process.wait(60) == 75
    started.unlink()
    site.pipeline("name: main\nrules: [{name: r, do: keep}]\n")
    done = site.filter(LETTER)
    assert done.returncode in (0, 75)


def test_two_offers_at_once_deliver_once(site):
    processes = [
        subprocess.Popen(site.command("filter"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=site.root)
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write(LETTER)
        process.stdin.close()
    statuses = {process.wait(60) for process in processes}
    for process in processes:
        process.stderr.close()
    assert statuses <= {0, 75}
    assert site.filter(LETTER).returncode == 0
    assert len(site.mail()) == 1


@pytest.mark.parametrize("raw", [b"", b"\n", b"\x00", b"no header at all", b"Subject\n\n", b"From "], ids=repr)
def test_hardly_a_message_is_a_message(site, raw):
    assert site.filter(raw).returncode == 0
    assert len(site.mail()) == 1


@pytest.mark.parametrize(("closed", "status"), [("<&-", 75), ("<&- >&- 2>&-", 75), (">&- 2>&-", 0)])
def test_a_closed_standard_input_is_no_empty_message(site, closed, status):
    """The first file that was opened became descriptor 0, and what stood in it the message."""
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *site.command("filter")]
    done = subprocess.run(command, input=LETTER, cwd=site.root, timeout=120, check=False)
    assert done.returncode == status
    assert len(site.mail()) == (status == 0)


RULES = """\
name: main
rules:
  - {name: junk, when: {from: "*@bad.example", subject: [offer, "*!!!*"]}, do: [{flag: $Junk}, {move: Junk}]}
  - {name: lists, when: {list-id: "*"}, do: {move: "Lists/{{ list_id }}"}}
  - {name: large, when: {size: "> 1MB", received: "> 2020-01-01", not: {attachment: "*.pdf"}}, do: [{tag: large}, keep]}
"""
# What `filter` never needs, or only for pipelines that ask for it, must not cost every message.
HEAVY = {
    "aioimaplib", "celery", "cryptography", "difflib", "dns", "html.parser", "http", "jinja2", "jsonschema", "kombu",
    "postroom.authentication", "postroom.bayes.filter", "postroom.bayes.tokens", "postroom.cli.main", "postroom.lessons",
    "postroom.settings.cases", "postroom.settings.review", "postroom.settings.schema", "postroom.steps.extract",
    "postroom.steps.plugins", "postroom.steps.spam", "postroom.steps.virus", "postroom.testing", "postroom.transports.bounded",
    "postroom.transports.dns", "postroom.transports.process", "postroom.transports.scanner",
    "prometheus_client", "psycopg", "publicsuffixlist", "puremagic", "re2", "redis", "rich", "structlog", "typer", "urllib.request",
}  # fmt: skip


def test_start_up_loads_no_more_than_it_needs(site):
    site.pipeline(RULES)
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *site.command("filter")[1:]],
        input=LETTER,
        capture_output=True,
        cwd=site.root,
        check=False,
    )
    loaded = {line.rsplit(b"|", 1)[-1].strip().decode() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert "postroom.work" in loaded
    assert loaded & HEAVY == set()


def test_start_up_does_not_look_through_installed_packages(site):
    """pydantic would, for plugins of its own: every message would read the metadata of every package."""
    about = site.root / "installed/nosy-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nosy\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pydantic]\nnosy = nosy:plugin\n")
    (about.parent / "nosy.py").write_text("raise SystemExit('it was loaded')\n")
    done = site.filter(LETTER, PYTHONPATH=str(about.parent))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_program_of_ours_never_sees_the_callers_secrets(site, tmp_path):
    seen = tmp_path / "environment"
    site.pipeline(
        f"name: main\nrules:\n  - {{name: r, do: [{{exec: [/bin/sh, -c, 'cat >/dev/null; env > {seen}']}}]}}\n"
    )
    assert site.filter(LETTER, DATABASE_PASSWORD="hunter2").returncode == 0
    assert "hunter2" not in Path(seen).read_text()
