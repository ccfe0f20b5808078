"""`explain`, `test`, `messages`, `show`, `replay` and `drop` as an operator sees them."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from postroom.testing import message

RULES = """\
name: main
rules:
  - name: Invoices
    when: {subject: "*invoice*", from: "*@acme.example"}
    do: [{extract: invoices}, {move: Archive}]
  - name: Loud
    when: {subject: "URGENT*"}
    do: [{flag: '\\Flagged'}]
"""
TESTED = """\
name: main
rules:
  - {name: Invoices, when: {subject: "*invoice*"}, do: [{move: Archive}]}
tests:
  - {name: an invoice, message: {subject: your invoice}, expect: [move Archive]}
"""
INVOICE = message(from_="Acme <billing@acme.example>", subject="Your invoice", attachments=["a.pdf"])
LETTER = message(subject="Sunday", message_id="<sunday@home.example>")
OTHER = message(subject="Monday", message_id="<monday@home.example>")
EVERY = [
    ("check",),
    ("explain", "letter.eml"),
    ("test",),
    ("messages",),
    ("show", "1"),
    ("replay", "1"),
    ("drop", "1", "--reason", "x"),
]


def listed(site, *arguments: str) -> list[dict[str, Any]]:
    done = site.run("messages", "--json", *arguments)
    assert done.stderr == b""
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert done.returncode == (0 if found else 1)
    return found


def letter(site, raw: bytes = LETTER) -> str:
    file = site.root / "letter.eml"
    file.write_bytes(raw)
    return str(file)


def failing(site) -> None:
    """Rules whose first program leaves a trace, and whose second fails for good until `mended` is there."""
    site.pipeline(
        "name: main\nrules:\n  - name: r\n    do:\n"
        f"      - exec: [/bin/sh, -c, 'cat >/dev/null; echo x >> {site.root}/ran']\n"
        f"      - exec: [/bin/sh, -c, 'cat >/dev/null; test -e {site.root}/mended || exit 65']\n"
        "      - move: Done\n"
    )


def test_explain_tells_rules_reasons_and_what_would_be_done(site):
    site.pipeline(RULES)
    done = site.run("explain", letter(site, INVOICE))
    assert (done.returncode, done.stderr) == (0, b"")
    told = done.stdout.decode()
    assert "✓ main: Invoices" in told
    assert "✗ main: Loud" in told
    assert "*@acme.example" in told
    assert told.index("would do:") < told.index("extract invoices") < told.index("move Archive")


def test_explain_reads_a_message_within_the_limits_of_the_settings(site):
    """As the worker does: else it would tell of attachments that no rule ever sees."""
    site.settings((site.root / "postroom.yaml").read_text() + "limits: {parts: 2}\n")
    site.pipeline('name: main\nrules: [{name: many, when: {attachments: ">= 3"}, do: {move: Many}}]\n')
    done = site.run("explain", letter(site, message(attachments=["a.pdf", "b.pdf", "c.pdf"])))
    assert b"keep (implicit)" in done.stdout


def test_explain_does_nothing(site):
    site.pipeline(RULES)
    file = letter(site, INVOICE)
    before = sorted(site.root.rglob("*"))
    assert site.run("explain", file).returncode == 0
    assert sorted(site.root.rglob("*")) == before


def test_explain_reads_standard_input_and_several_files(site):
    done = site.run("explain", "-", letter(site), message=INVOICE)
    assert done.returncode == 0
    assert done.stdout.decode().count("would do:") == 2


def test_explain_answers_json_for_programs(site):
    site.pipeline(RULES)
    done = site.run("explain", "--json", letter(site, INVOICE))
    [one] = json.loads(done.stdout)
    assert [rule["held"] for rule in one["rules"]] == [True, False]
    assert one["rules"][0]["why"]["parts"]
    assert [line["word"] for line in one["plan"]] == ["extract", "move"]
    assert one["message"]["subject"] == "Your invoice"


def test_explain_takes_another_pipeline_and_an_envelope(site):
    site.pipeline("name: other\nrules:\n  - {name: r, when: {sender: a@x.example}, do: discard}\n", "other")
    done = site.run("explain", "--pipeline", "other", "--sender", "a@x.example", letter(site))
    assert "✓ other: r" in done.stdout.decode()


def test_explain_of_a_pipeline_by_its_path_needs_no_settings(tmp_path):
    (tmp_path / "mine.yaml").write_text(
        'rules: [{name: r, when: {subject: "Your*"}, do: [{webhook: {url: https://x.example, secret: s}}, {move: A}]}]'
    )
    (tmp_path / "invoice.eml").write_bytes(INVOICE)
    done = run_bare(tmp_path, ["explain", "--pipeline", "mine.yaml", "invoice.eml"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"move A" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["invoice.eml", "mine.yaml"]


def test_options_of_a_command_in_front_of_it_are_told_where_they_belong(tmp_path):
    done = run_bare(tmp_path, ["--config", "x.yaml", "check"])
    assert done.returncode == 2
    assert b"postroom COMMAND --config FILE" in done.stderr


def test_explain_of_a_file_that_is_not_there_is_one_line(site):
    assert_one_line(site.run("explain", "nothing.eml"), 1, "nothing.eml")
    assert_one_line(site.run("explain", "pipelines"), 1, "pipelines: is a directory")


def test_tests_of_pipelines_that_pass_end_with_0(site):
    site.pipeline(TESTED)
    done = site.run("test")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == ["ok      main 1: an invoice", "1 test, 0 failed"]


def test_a_test_that_fails_ends_with_1_and_shows_the_difference(site):
    site.pipeline(TESTED.replace("expect: [move Archive]", "expect: [tag a, move Else]"))
    done = site.run("test")
    assert done.returncode == 1
    lines = [line.strip() for line in done.stdout.decode().splitlines()]
    assert lines[0].startswith("FAILED")
    assert {"- move Else", "+ move Archive"} <= set(lines)
    assert lines[-1] == "1 test, 1 failed"


@pytest.mark.parametrize(("expected", "status"), [("move Archive", 0), ("move Else", 1)], ids=["passes", "fails"])
def test_tests_answer_json_for_programs(site, expected, status):
    site.pipeline(TESTED.replace("expect: [move Archive]", f"expect: [{expected}]"))
    done = site.run("test", "--json", "main")
    assert done.returncode == status
    [verdict] = json.loads(done.stdout)
    assert (verdict["name"], verdict["passed"], bool(verdict["diff"])) == ("an invoice", not status, bool(status))


def test_a_test_that_is_written_wrongly_is_78_with_its_place(site):
    site.pipeline(TESTED.replace("subject: your", "subjekt: your"))
    done = site.run("test")
    assert done.returncode == 78
    assert b"main.yaml:5:" in done.stderr
    assert b"subjekt" in done.stderr


def test_messages_lists_newest_first(site):
    site.filter(LETTER)
    site.filter(OTHER)
    done = site.run("messages")
    assert (done.returncode, done.stderr) == (0, b"")
    headings, *rows = [line.split("\t") for line in done.stdout.decode().splitlines()]
    assert headings[:2] == ["ID", "RECEIVED"]
    assert [row[0] for row in rows] == ["2", "1"]
    assert all("settled" in row for row in rows)


def test_messages_without_any_ends_with_1(site):
    assert site.run("messages").returncode == 1
    assert listed(site) == []


@pytest.mark.parametrize("message_id", ["sunday@home.example", "<sunday@home.example>"])
def test_messages_are_found_by_state_message_id_and_limit(site, message_id):
    site.filter(LETTER)
    site.filter(OTHER)
    assert [one["id"] for one in listed(site)] == [2, 1]
    assert [one["id"] for one in listed(site, "--limit", "1")] == [2]
    assert [one["id"] for one in listed(site, "--message-id", message_id)] == [1]
    assert [one["id"] for one in listed(site, "--state", "settled")] == [2, 1]
    assert listed(site, "--state", "planned") == []
    assert listed(site, "--dead") == []


def test_dead_letters_are_listed_with_what_failed(site):
    failing(site)
    assert site.filter(LETTER).returncode == 0
    [dead] = listed(site, "--dead")
    assert "ended with status 65" in site.run("messages", "--dead").stdout.decode()
    assert dead["state"] == "dead"
    assert [effect["state"] for effect in dead["effects"] if effect["word"] == "exec"] == ["done", "dead"]
    assert any("65" in (effect["error"] or "") for effect in dead["effects"])


def test_show_tells_what_became_of_a_message(site):
    site.filter(LETTER, "--sender", "a@x.example", "--recipient", "b@y.example")
    told = site.run("show", "1").stdout.decode()
    assert "settled" in told
    assert "<a@x.example> to b@y.example" in told
    assert "keep: done" in told
    assert json.loads(site.run("show", "1", "--json").stdout)["sender"] == "a@x.example"


@pytest.mark.parametrize("size", [0, 400_000], ids=["in the ledger", "in the spool"])
def test_show_raw_gives_the_message_as_it_came(site, size):
    raw = LETTER + b"\x00\xff\r" + b"x" * size
    site.filter(raw)
    done = site.run("show", "1", "--raw")
    assert (done.returncode, done.stdout) == (0, raw)


def test_replay_of_a_dead_message_does_what_failed_and_repeats_nothing(site):
    failing(site)
    site.filter(LETTER)
    again = site.run("replay", "1")
    assert (again.returncode, b"dead" in again.stdout) == (1, True)
    (site.root / "mended").touch()
    done = site.run("replay", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1: done\n", b"")
    assert (site.root / "ran").read_text() == "x\n"
    assert [one["state"] for one in listed(site)] == ["settled"]


def test_replay_from_an_effect_repeats_that_one_too(site):
    failing(site)
    site.filter(LETTER)
    (site.root / "mended").touch()
    assert site.run("replay", "1", "--from-effect", "0").returncode == 0
    assert (site.root / "ran").read_text() == "x\nx\n"


def test_replay_from_an_effect_that_is_not_there_replays_nothing(site):
    failing(site)
    site.filter(LETTER)
    assert_one_line(site.run("replay", "1", "--from-effect", "9"), 1, "has no effect 9")
    assert (site.root / "ran").read_text() == "x\n"


def test_replay_of_several_touches_none_where_one_is_not_there(site):
    """The first would wait for an offer of its caller, who has been told that it was done."""
    failing(site)
    site.filter(LETTER)
    assert_one_line(site.run("replay", "1", "99"), 1, "99")
    assert [one["state"] for one in listed(site)] == ["dead"]


@pytest.mark.parametrize("command", [("show",), ("replay",), ("drop", "--reason", "x")], ids=" ".join)
def test_a_message_of_another_mailbox_than_the_named_one_is_left_alone(site, command):
    other = '  other: {url: "maildir:box", pipeline: main}\n'
    site.settings((site.root / "postroom.yaml").read_text() + other)
    failing(site)
    site.run("filter", message=LETTER)
    assert_one_line(site.run(*command, "1", "--mailbox", "other"), 1, "of `stdin`")
    assert [one["state"] for one in listed(site)] == ["dead"]


def test_replay_plans_again_by_todays_rules(site):
    failing(site)
    site.filter(LETTER)
    site.pipeline("name: main\nrules:\n  - {name: r, do: [{copy: New}]}\n")
    done = site.run("replay", "1", "--plan-again")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(site.mail("New")) == 1
    assert (site.root / "ran").read_text() == "x\n"


def test_drop_sets_a_dead_message_aside_with_its_reason(site):
    failing(site)
    site.filter(LETTER)
    done = site.run("drop", "1", "--reason", "nobody wants it")
    assert (done.returncode, done.stdout) == (0, b"1: dropped\n")
    [dropped] = listed(site, "--state", "dropped")
    assert "nobody wants it" in dropped["error"]
    assert listed(site, "--dead") == []


def test_drop_asks_for_a_reason(site):
    failing(site)
    site.filter(LETTER)
    done = site.run("drop", "1")
    assert done.returncode == 2
    assert b"--reason" in done.stderr
    assert len(listed(site, "--dead")) == 1


def test_a_message_that_ended_well_is_not_dropped(site):
    site.filter(LETTER)
    assert_one_line(site.run("drop", "1", "--reason", "x"), 1, "1")
    assert [one["state"] for one in listed(site)] == ["settled"]


@pytest.mark.parametrize(
    "arguments",
    [("show", "99"), ("show", "99", "--raw"), ("replay", "99"), ("drop", "99", "--reason", "x")],
    ids=" ".join,
)
def test_an_unknown_number_is_one_line(site, arguments):
    site.filter(LETTER)
    assert_one_line(site.run(*arguments), 1, "99")


@pytest.mark.parametrize("number", [str(2**63), str(10**30), "-1", "0"])
def test_a_number_that_no_message_can_have_is_no_traceback(site, number):
    site.filter(LETTER)
    for command in (("show",), ("replay",), ("drop", "--reason", "x")):
        done = site.run(*command, "--", number)
        assert done.returncode in (1, 2)
        assert b"Traceback" not in done.stderr
        assert f"there is no message {number}" in done.stderr.decode()


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_a_broken_configuration_is_78_with_file_line_and_column(site, arguments):
    letter(site)
    site.settings("state: state\npipelines: pipelines\nmailboxes:\n  stdin: {urll: 'stdin:', pipeline: main}\n")
    done = site.run(*arguments)
    assert done.returncode == 78
    assert b"postroom.yaml:4:11: " in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("arguments", [("check",), ("explain", "letter.eml"), ("test",), ("replay", "1")], ids=" ".join)
def test_a_broken_pipeline_is_78_with_file_line_and_column(site, arguments):
    letter(site)
    site.filter(LETTER)
    site.pipeline("name: main\nrules:\n  - name: r\n    do: kep\n")
    done = site.run(*arguments)
    assert done.returncode == 78
    assert b"main.yaml:4:9: " in done.stderr
    assert b"`keep`" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_without_any_configuration_it_is_78_and_the_remedy_is_named(tmp_path, arguments):
    done = run_bare(tmp_path, arguments)
    assert done.returncode == 78
    assert b"postroom init" in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert b"Traceback" not in done.stderr


def run_bare(directory, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "postroom", *arguments],
        input=b"",
        capture_output=True,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "HOME": str(directory)},
        timeout=120,
        check=False,
    )


def assert_one_line(done: subprocess.CompletedProcess[bytes], status: int, told: str) -> None:
    assert (done.returncode, done.stdout) == (status, b"")
    [line] = done.stderr.decode().splitlines()
    assert told in line
