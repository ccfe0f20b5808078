"""postroom.yaml: what is accepted, and what is told of the rest."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from postroom.errors import Misconfigured
from postroom.settings import load
from postroom.settings.load import find
from postroom.settings.mailboxes import FORMS
from postroom.settings.model import user_state

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

STDIN = 'mailboxes: {stdin: {url: "stdin:", pipeline: main, store: mail}}\n'


def test_paths_are_relative_to_the_file(site: "Site", tmp_path: Path) -> None:
    settings = site.write(STDIN + "state: ../var\n").settings()
    assert settings.state_of() == tmp_path.parent / "var"
    assert settings.pipelines == tmp_path / "pipelines"
    assert settings.mailboxes["stdin"].store == tmp_path / "mail"


def test_a_tilde_is_the_home_directory(site: "Site") -> None:
    settings = site.write('mailboxes: {a: {url: "stdin:", pipeline: main, store: ~/Maildir}}').settings()
    assert settings.mailboxes["a"].store == Path.home() / "Maildir"


def test_defaults_are_the_documented_ones(site: "Site", tmp_path: Path) -> None:
    settings = site.settings()
    assert settings.timezone == "UTC"
    assert settings.retry.for_ == timedelta(days=5)
    assert settings.retention.settled == timedelta(days=30)
    assert settings.retention.dead is None
    assert settings.spool.inline == 65536
    assert settings.limits.parser.parts == 5000
    assert settings.mailboxes["stdin"].resume_for == timedelta(days=1)
    assert settings.state_of("stdin") == user_state()
    assert settings.ledger_url(tmp_path) == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.spool_directory(tmp_path) == tmp_path / "spool"


def test_urls_of_ledger_and_spool_are_relative_to_the_file(site: "Site", tmp_path: Path) -> None:
    settings = site.write(STDIN + 'ledger: {url: "sqlite:///l.db"}\nspool: {url: "file:../s"}\n').settings()
    assert settings.ledger_url(Path("/x")) == f"sqlite:///{tmp_path}/l.db"
    assert settings.spool_directory(Path("/x")) == tmp_path.parent / "s"


def test_a_mailbox_without_pipeline_takes_the_default(site: "Site") -> None:
    text = 'defaults: {pipeline: main}\nmailboxes: {a: {url: "stdin:", store: none}}'
    settings = site.write(text).settings()
    assert settings.pipeline_of("a") == "main"
    assert settings.mailboxes["a"].store is None


def test_sizes_and_durations_carry_units(site: "Site") -> None:
    text = "retry: {first: 90s}\nlimits: {match: 2MiB}\nretention: {dead: 52w, settled: never}\n"
    settings = site.write(text).settings()
    assert settings.retry.first == timedelta(seconds=90)
    assert settings.limits.match == 2 * 2**20
    assert settings.retention.dead == timedelta(weeks=52)
    assert settings.retention.settled is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("stat: x", ["1:1: stat: unknown key `stat`; did you mean `state`?"], id="unknown key"),
        pytest.param("resume_for: x", ["1:1: resume_for: unknown key `resume_for`"], id="nothing near"),
        pytest.param(
            "retry: {frist: 5m}",
            ["1:9: retry.frist: unknown key `frist`; did you mean `first`?"],
            id="unknown key within",
        ),
        pytest.param(
            "spool: {min_free: 1GiB}",
            ["1:9: spool.min_free: unknown key `min_free`; did you mean `min-free`?"],
            id="snake case",
        ),
        pytest.param("xyz: {}", ["1:1: xyz: unknown key `xyz`"], id="a key that there is not"),
        pytest.param(
            "logs: {level: inf}",
            ["1:15: logs.level: must be `debug`, `info`, `warning` or `error`"],
            id="enum",
        ),
        pytest.param("limits: {parts: '5'}", ["1:17: limits.parts: must be a whole number"], id="text as number"),
        pytest.param("limits: {parts: 5.0}", ["1:17: limits.parts: must be a whole number"], id="float as integer"),
        pytest.param("limits: {parts: 0}", ["1:17: limits.parts: must be at least 1"], id="too small"),
        pytest.param("retry: {factor: many}", ["1:17: retry.factor: must be a number"], id="no number"),
        pytest.param("host: 17", ["1:7: host: must be text; put it in quotes"], id="number as text"),
        pytest.param("host:", ["1:6: host: has no value"], id="no value"),
        pytest.param("state:\nretry:", ["1:7: state: has no value", "2:7: retry: has no value"], id="no values"),
        pytest.param("plugins: spam", ["1:10: plugins: must be a list"], id="no list"),
        pytest.param("retry: 5m", ["1:8: retry: must be a mapping: `key: value` lines"], id="no mapping"),
        pytest.param("[a]", ["1:1: must be a mapping: `key: value` lines"], id="no mapping at all"),
        pytest.param(
            "retry: {first: 300}",
            ["1:16: retry.first: a duration is a number with a unit: 30s, 5m, 4h, 7d"],
            id="no unit",
        ),
        pytest.param(
            "timezone: Europe/Bärlin",
            ["1:11: timezone: this machine knows no such time zone; write it like `Europe/Berlin`"],
            id="time zone",
        ),
        pytest.param(
            "mailboxes: {a: {store: x}}", [f"1:13: mailboxes.a.url: is missing here: {FORMS}"], id="a missing key"
        ),
        pytest.param(
            "mailboxes: {a: {host: x, user: u, folders: [INBOX], pipeline: p}}",
            [f"1:13: mailboxes.a.url: is missing here: {FORMS}"],
            id="where the kind is not known the other keys are not blamed",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imap://u@x:993", password: p, pipeline: p}}',
            ["1:22: mailboxes.a.url: port 993 speaks TLS from the start: write imaps://"],
            id="the port of another scheme",
        ),
        pytest.param(
            f"{STDIN}defaults: {{server: rely}}\nservers: {{relay: {{url: smtp://x.example}}}}",
            ["2:20: defaults.server: there is no server `rely` under `servers`; did you mean `relay`?"],
            id="a default that is none",
        ),
        pytest.param(
            'mailboxes: {a: {url: "lmtp://127.0.0.1:24", store: none, recipients: [{to: "*"}], pipeline: p}, '
            'b: {url: "smtp://127.0.0.1:24", store: none, recipients: [{to: "*"}], pipeline: p}}',
            ["1:106: mailboxes.b.url: the mailbox `a` listens there already"],
            id="two listeners at one address",
        ),
        pytest.param(
            'mailboxes: {a: {url: "nntp://x", store: m, pipeline: p}}',
            [
                '1:22: mailboxes.a.url: must be "stdin:", maildir:PATH, imaps://HOST, imap://HOST (STARTTLS), '
                "pop3s://HOST, pop3://HOST (STLS), lmtp://HOST:PORT, lmtp+unix:PATH or smtp://HOST:PORT"
            ],
            id="an unknown kind",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imaps://u@x", pipeline: p}}',
            ["1:16: mailboxes.a: has no password: give `password-file` or another `password` key"],
            id="no password",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imaps://x", password: p, pipeline: p}}',
            ["1:16: mailboxes.a: names no user: write it before the host with `@`, or as `user`"],
            id="no user",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imap://u@mail.example.com", password: p, tls: off, pipeline: p}}',
            ["1:16: mailboxes.a: `tls: off` is for loopback addresses; certificates of your own go into `tls-ca`"],
            id="no TLS to elsewhere",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imaps://u:p@x", pipeline: p}}',
            [
                "1:22: mailboxes.a.url: a password does not belong into the URL: use `password-file` or another "
                "`password` key"
            ],
            id="a password in the URL",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imaps://u@x", password: p, fodlers: [INBOX], pipeline: p}}',
            ["1:50: mailboxes.a.fodlers: unknown key `fodlers`; did you mean `folders`?"],
            id="a key of that kind misspelt",
        ),
        pytest.param(
            'mailboxes: {a: {url: "lmtp://127.0.0.1:25", store: none, recipients: [{to: "*"}], pipeline: p}}',
            [
                "1:22: mailboxes.a.url: LMTP is never spoken on port 25 (RFC 2033 5); choose another, such as 24",
            ],
            id="LMTP on port 25",
        ),
        pytest.param(
            'mailboxes: {a: {url: "lmtp://127.0.0.1:24", recipients: [{to: "*"}], pipeline: p}}',
            [
                "1:16: mailboxes.a: needs a `store`, its own or one in each of `recipients` (`none`: nothing can be kept)",
            ],
            id="no store",
        ),
        pytest.param(
            'mailboxes: {a: {url: "imaps://u@x", auth: xoauth2, password: p, pipeline: p}}',
            ["1:16: mailboxes.a: `auth: xoauth2` takes `token-command` or `token-file`, and no password"],
            id="a password for OAuth2",
        ),
        pytest.param(
            'mailboxes: {a: {url: "stdin:", store: x}}',
            ["1:13: mailboxes.a: names no `pipeline`, and there is no `defaults: {pipeline: …}`"],
            id="no pipeline",
        ),
        pytest.param(
            "secrets: {a b: {env: X}}",
            ["1:11: secrets.a b: a name is letters, digits, `.`, `_` and `-`, and begins with a letter or digit"],
            id="a bad name",
        ),
        pytest.param(
            "secrets: {a: {fiel: x}}",
            [
                "1:15: secrets.a.fiel: unknown key `fiel`; did you mean `file`?",
            ],
            id="one branch of a union explains",
        ),
        pytest.param(
            "secrets: {a: 5}",
            ["1:14: secrets.a: must be a mapping: `key: value` lines or a list"],
            id="no branch of a union fits",
        ),
        pytest.param("secrets: {a: []}", ["1:14: secrets.a: must not be empty"], id="an empty list"),
        pytest.param(
            "secrets: {a: {env: X, file: y}}",
            ["1:14: secrets.a: give exactly one of `env`, `file`, `command`, `credential`"],
            id="two sources of a secret",
        ),
        pytest.param(
            "ledger: {url: 'mysql://x'}",
            ["1:15: ledger.url: must begin with `sqlite:///` or `postgresql://`"],
            id="another database",
        ),
        pytest.param(
            "trust: {hosts: ['*.*', 10.0.0.0/99]}",
            [
                "1:17: trust.hosts[0]: must name hosts of yours: this would believe everybody",
                "1:24: trust.hosts[1]: must be a name, also with `*`, an address, or a network such as 10.0.0.0/8",
            ],
            id="hosts that are everybody, or nothing",
        ),
        pytest.param(
            "trust: {below: true}", ["1:8: trust: `below` needs the name of that host in `hosts`"], id="below nobody"
        ),
        pytest.param(
            "stat: 1\nhost: a b\nlogs: {format: xml}",
            [
                "1:1: stat: unknown key `stat`; did you mean `state`?",
                "2:7: host: must have the form `^[A-Za-z0-9._-]{1,255}$`",
                "3:16: logs.format: must be `auto`, `json` or `console`",
            ],
            id="all at once",
        ),
    ],
)
def test_each_problem_is_told_with_place_and_remedy(site: "Site", text: str, expected: list[str]) -> None:
    told = site.write(text).told()
    assert [one.partition("; known here")[0] for one in told] == expected


def test_a_variable_that_is_not_set_is_told_together_with_the_rest(site: "Site") -> None:
    told = site.write("host: ${NOPE}\nstat: x\n").told()
    assert [one.split(": ")[-1] for one in told] == [
        "the environment variable NOPE is not set",
        "unknown key `stat`; did you mean `state`?",
    ]


def test_the_first_file_in_order_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = {"HOME": str(tmp_path / "home")}
    expected = []
    for name in ("home/.config/postroom/postroom.yaml", "config/postroom.yaml", "postroom.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        expected.append(find(home).resolve() == path)
    assert expected == [True, True, True]
    assert find({**home, "POSTROOM_CONFIG": "/elsewhere.yaml"}) == Path("/elsewhere.yaml")


def test_without_any_file_one_sentence_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match=r"^postroom.yaml: no configuration file was found; `postroom init DIR`"):
        load(environment={"HOME": str(tmp_path)})


def test_a_file_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"x\.yaml: there is no such file; `postroom init DIR` makes one$"):
        load(tmp_path / "x.yaml")


def test_an_empty_file_is_told(site: "Site") -> None:
    with pytest.raises(Misconfigured, match="the file is empty"):
        load(site.write("# nothing\n").config)
