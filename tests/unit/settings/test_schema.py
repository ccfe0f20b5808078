"""The JSON Schemas: fresh, valid, and of one mind with the loader."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from postroom.settings.document import parse_document
from postroom.settings.schema import DIALECT, pipeline_schema, schemas, settings_schema
from postroom.steps import STEPS

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

ROOT = Path(__file__).parents[3]
SETTINGS = Draft202012Validator(settings_schema())
PIPELINE = Draft202012Validator(pipeline_schema())


def data(text: str) -> Any:
    document = parse_document(text.encode(), "f")
    assert not document.problems
    return document.data


@pytest.mark.parametrize("name", schemas())
def test_the_shipped_schema_is_what_the_models_say(name: str) -> None:
    assert (ROOT / "config" / name).read_text() == schemas()[name]


@pytest.mark.parametrize("text", schemas().values(), ids=schemas())
def test_each_schema_is_one(text: str) -> None:
    schema = json.loads(text)
    assert schema["$schema"] == DIALECT
    Draft202012Validator.check_schema(schema)


def test_every_key_and_option_says_what_it_is_for() -> None:
    schema = settings_schema()
    bare = [
        f"{owner}.{key}"
        for owner, model in {"": schema, **schema["$defs"]}.items()
        for key, one in model["properties"].items()
        if "description" not in one and "description" not in schema["$defs"].get(one.get("$ref", "")[8:], {})
    ]
    assert bare == []


def test_every_step_is_in_the_schema_of_pipelines() -> None:
    _, mapping = pipeline_schema()["$defs"]["step"]["anyOf"]
    assert set(mapping["properties"]) == set(STEPS)


def test_the_shipped_settings_fit_their_schema_and_name_it() -> None:
    text = (ROOT / "config/postroom.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=postroom.schema.json\n")
    assert [error.message for error in SETTINGS.iter_errors(data(text))] == []


@pytest.mark.parametrize("path", sorted((ROOT / "pipelines").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_pipelines_fit_their_schema(path: Path) -> None:
    assert [error.message for error in PIPELINE.iter_errors(data(path.read_text()))] == []


def test_every_key_stands_in_the_shipped_settings() -> None:
    text = (ROOT / "config/postroom.yaml").read_text()
    schema = settings_schema()
    models = [schema, *schema["$defs"].values()]
    assert [key for model in models for key in model["properties"] if f"{key}:" not in text] == []


MAILBOX = 'mailboxes: {a: {url: "stdin:", pipeline: main, store: m}}'
GOOD = [
    "{}",
    MAILBOX,
    "state: ../var\npipelines: pipelines\nhost: a.example",
    "timezone: Europe/Berlin",
    "ledger: {url: 'postgresql://a@b/c', password: x}",
    "ledger: {password-command: [a, b]}",
    "spool: {inline: 0, min-free: 1.5GiB}",
    "logs: {format: json, level: error}",
    "retry: {first: 1m, factor: 1.5, most: 2h, for: 3d, crashes: 1}",
    "retention: {settled: never, dead: 4w}",
    "trust: {hosts: [a], authserv-id: []}",
    "trust: {hosts: ['*.a.example', 10.0.0.0/8, '2002:a00::/24'], authserv-id: [''], below: true}",
    "limits: {parts: 1, header: 64KiB, match: 10}",
    "secrets: {a: {env: X}, b: [{file: y}, {command: [z]}], c: {credential: d}}",
    "defaults: {pipeline: main, timeout: 5s}",
    "host: ${HOST}",
    "queue: {url: 'redis://127.0.0.1/0', password-file: p, name: mail, threads: 2, batch: 10}",
    "metrics: {listen: 127.0.0.1:0}",
    "mailboxes: {a: {url: 'imaps://u@x', password: p, folders: [INBOX, Work], pipeline: main}}",
    "mailboxes: {a: {url: 'imap://x', user: u@y, auth: xoauth2, token-command: [t], handled: {move: Old}, pipeline: main}}",
    "mailboxes: {a: {url: 'pop3s://u@x', password: p, keep-on-server: 7d, store: m, pipeline: main}}",
    "mailboxes: {a: {url: 'maildir:m', start: all, pipeline: main}}",
    "mailboxes: {a: {url: 'lmtp+unix:run/s', store: m, recipients: [{to: '*', pipeline: main}], pipeline: main}}",
    "logs: {level: '${LEVEL}'}",
]
BAD = [
    "stat: x",
    "state: 5",
    "state:",
    "host: a b",
    "ledger: {password: a, password-file: b}",
    "ledger: {password: 5}",
    "ledger: {password-command: []}",
    "ledger: {password-credential: a/b}",
    "spool: {inline: -1}",
    "spool: {inline: 1XB}",
    "spool: {min_free: 1}",
    "logs: {level: loud}",
    "logs: json",
    "retry: {first: 5}",
    "retry: {factor: 0.5}",
    "retry: {factor: '2'}",
    "retry: {crashes: 1.5}",
    "retention: {dead: forever}",
    "trust: {hosts: a}",
    "trust: {hosts: [1]}",
    "limits: {parts: 0}",
    "secrets: {a: {env: X, file: y}}",
    "secrets: {a: {}}",
    "secrets: {a: []}",
    "secrets: {a b: {env: X}}",
    "mailboxes: {a: {url: 'stdin:'}}",
    "mailboxes: {a: {store: m}}",
    "mailboxes: {a: {url: 'imaps://x', store: m}}",
    "mailboxes: {a: {url: 'stdin:', store: m, pipeline: a/b}}",
    "queue: {url: 'amqp://x'}",
    "metrics: {listen: 9925}",
    "mailboxes: {a: {url: 'maildir:', pipeline: main}}",
    "mailboxes: {a: {url: 'lmtp://127.0.0.1:24', store: m, pipeline: main}}",
    "[]",
]


@pytest.mark.parametrize(("text", "good"), [(text, True) for text in GOOD] + [(text, False) for text in BAD])
def test_schema_and_loader_agree_on_settings(site: "Site", text: str, good: bool) -> None:
    told = site.write(text).told({"HOST": "a.example", "LEVEL": "info"})
    assert (told == [], SETTINGS.is_valid(data(text))) == (good, good)


RULES = {
    "a word": ("{name: a, do: keep}", True),
    "words": ("{name: a, do: [keep, stop]}", True),
    "a value": ("{name: a, do: {move: A}}", True),
    "options": ("{name: a, do: [{move: {folder: A, create: true}}]}", True),
    "a list as value": ("{name: a, do: {tag: [a, b]}}", True),
    "one as list": ("{name: a, do: {tag: a}}", True),
    "one flag as list": ("{name: a, do: {flag: {flags: $Work}}}", True),
    "one type as list": ("{name: a, do: {extract: {to: a, types: application/pdf}}}", True),
    "one name as list": ("{name: a, do: {header: {remove: X-A}}}", True),
    "one field as list": ("{name: a, do: {duplicate: {by: raw}}}", True),
    "a mode": ("{name: a, do: {extract: {to: a, mode: 0640}}}", True),
    "a size": ("{name: a, do: {extract: {to: a, larger: 1MB, count: 3}}}", True),
    "arguments": ("{name: a, do: {exec: [a, b]}}", True),
    "a step that needs nothing": ("{name: a, do: duplicate}", True),
    "a duration": ("{name: a, do: {duplicate: {for: 30d}}}", True),
    "a choice": ("{name: a, do: {spam: headers}}", True),
    "a number": ("{name: a, do: {spam: {tag-at: 6}}}", True),
    "a condition": ('{name: a, when: {subject: "*a*"}, do: keep}', True),
    "conditions": ('{name: a, when: {any: [{from: a}, {not: {size: "> 1MB"}}]}, do: keep}', True),
    "no name": ("{do: keep}", False),
    "no do": ("{name: a}", False),
    "empty do": ("{name: a, do: []}", False),
    "null do": ("{name: a, do: }", False),
    "unknown key": ("{name: a, wen: {}, do: keep}", False),
    "unknown step": ("{name: a, do: kep}", False),
    "unknown step with value": ("{name: a, do: {teleport: x}}", False),
    "unknown option": ("{name: a, do: {move: {foldr: A}}}", False),
    "snake case": ("{name: a, do: {spam: {tag_at: 6}}}", False),
    "a word that needs options": ("{name: a, do: move}", False),
    "two steps in one entry": ("{name: a, do: [{move: A, copy: B}]}", False),
    "a value too many": ("{name: a, do: {stop: 1}}", False),
    "a value missing": ("{name: a, do: [{move: }]}", False),
    "no is text": ("{name: a, do: {move: {folder: A, create: no}}}", False),
    "text as number": ("{name: a, do: {spam: {tag-at: '6'}}}", False),
    "a number as text": ("{name: a, do: {move: 7}}", False),
    "another choice": ("{name: a, do: {spam: razor}}", False),
    "unknown field": ("{name: a, when: {subjct: a}, do: keep}", False),
    "null condition": ("{name: a, when: , do: keep}", False),
}


@pytest.mark.parametrize(("rule", "good"), RULES.values(), ids=RULES)
def test_schema_and_loader_agree_on_pipelines(site: "Site", rule: str, good: bool) -> None:
    text = f"rules: [{rule}]"
    site.pipeline("main", text)
    assert (site.reviewed() == [], PIPELINE.is_valid(data(text))) == (good, good)


TESTS = {
    "in a few words": ("{message: {from: a@b.example, subject: x, attachments: [a.pdf]}, expect: [keep]}", True),
    "nothing": ("{expect: []}", True),
    "one line": ("{expect: keep}", True),
    "none of it": ("{message: {subject: null, text: null, to: []}, expect: []}", True),
    "attachments": ("{message: {attachments: [{name: a, size: 1MB, type: text/plain}]}, expect: []}", True),
    "headers": ("{message: {headers: {X-A: b, X-C: [d, e]}}, expect: []}", True),
    "facts": ("{facts: {spam: {score: 6.5}, tags: [a], script: {s: {k: [1]}}}, now: 2026-03-01, expect: []}", True),
    "nothing expected": ("{message: {subject: x}}", False),
    "unknown key": ("{expect: [], mesage: {}}", False),
    "unknown key of the message": ("{expect: [], message: {form: a}}", False),
    "unknown fact": ("{expect: [], facts: {spam: {scor: 1}}}", False),
    "a number as text": ("{expect: [], message: {subject: 7}}", False),
}


@pytest.mark.parametrize(("text", "good"), TESTS.values(), ids=TESTS)
def test_schema_and_check_agree_on_tests(site: "Site", text: str, good: bool) -> None:
    whole = f"rules: [{{name: a, do: keep}}]\ntests: [{text}]\n"
    site.pipeline("main", whole)
    assert (site.reviewed() == [], PIPELINE.is_valid(data(whole))) == (good, good)
