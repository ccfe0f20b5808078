"""What lies in deploy/: it parses, and names commands, options, settings and metrics that exist."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client.parser import text_string_to_metric_families

from postroom import trial
from postroom.cli.filter import parser
from postroom.cli.main import app
from postroom.ledger.rows import Counts
from postroom.metrics.prometheus import Metrics
from postroom.metrics.standing import Questions
from postroom.settings import load_pipeline
from postroom.settings.review import review

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
SERIES = re.compile(r"\b((?:postroom|process)_[a-z_]+)\b")


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def parse_command(arguments: Sequence[str]) -> None:
    """Fail where the command line names a command or an option that is none."""
    name, *rest = arguments
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # it is a group
    assert name in commands
    commands[name].make_context(name, rest)


def unit(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are what they are
    parser.read_string(file.read_text(encoding="utf-8"))
    return parser


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_starts_a_command_that_exists(file: Path) -> None:
    service = unit(file)["Service"]
    program, *arguments = shlex.split(service["ExecStart"].replace("%i", "1"))
    assert program == "/opt/postroom/bin/postroom"
    parse_command(arguments)
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) > 45  # what draining may take


@pytest.mark.parametrize("file", UNITS, ids=lambda file: file.name)
def test_a_unit_holds_nothing_that_systemd_does_not_know(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / file.name
    text = file.read_text(encoding="utf-8").replace("/opt/postroom/bin/postroom", "/bin/true")
    copy.write_text(re.sub("^(User|Group)=.*", r"\1=root", text, flags=re.MULTILINE))
    known = unit(copy)
    assert {"Unit", "Service", "Install"} == set(known.sections())
    analyze = shutil.which("systemd-analyze")
    if analyze is None:  # not a machine of systemd: its own parser cannot be asked
        return
    asked = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, timeout=60, check=False
    )
    ours = [line for line in asked.stderr.splitlines() if file.name.partition("@")[0].removesuffix(".service") in line]
    assert [line for line in ours if "Unknown" in line or "Failed to parse" in line or "Invalid" in line] == []


@pytest.fixture(scope="module")
def compose() -> Any:
    [found] = documents(ROOT / "docker-compose.yml")
    return found


def test_containers_run_commands_that_exist(compose: Any) -> None:
    ours = {name: each for name, each in compose["services"].items() if each.get("image") == "postroom"}
    assert set(ours) == {"watch", "work"}
    for service in ours.values():
        parse_command(service["command"])


def test_containers_use_volumes_secrets_and_files_that_are_there(compose: Any) -> None:
    for service in compose["services"].values():
        assert set(service.get("secrets", ())) <= set(compose["secrets"])
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in compose["volumes"]


def test_redis_keeps_its_tasks(compose: Any) -> None:
    command = compose["services"]["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"


def test_secrets_of_the_containers_are_files_that_the_instructions_make(compose: Any) -> None:
    [made] = re.findall(r"for name in ([\w ]+); do .* > (\S+)\$name", (ROOT / "docker-compose.yml").read_text("utf-8"))
    files = {secret["file"] for secret in compose["secrets"].values()}
    assert files == {f"{made[1]}{name}" for name in made[0].split()}
    assert f"/{made[1]}" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_the_image_is_built_from_files_that_are_there() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for name in line.split()[:-1]}
    assert copied == admitted
    assert all((ROOT / name).exists() for name in copied)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert {*wheel["packages"], *wheel["force-include"], *wheel["shared-scripts"]} <= copied | {"service/postroom"}
    assert re.search(r"^USER (?!0|root)", text, re.MULTILINE)
    [arguments] = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    parse_command(json.loads(arguments))


def settings_in_manifests() -> dict[str, str]:
    [config] = [each for each in documents(DEPLOY / "kubernetes/config.yaml") if each["kind"] == "ConfigMap"]
    data: dict[str, str] = config["data"]
    return data


@pytest.mark.parametrize("kind", ["compose", "systemd", "dovecot", "kubernetes"])
def test_settings_pass_the_check(kind: str, tmp_path: Path) -> None:
    if kind != "kubernetes":
        own = DEPLOY / kind / "pipelines"
        shutil.copy(DEPLOY / kind / "postroom.yaml", tmp_path)
        shutil.copytree(own if own.is_dir() else ROOT / "pipelines", tmp_path / "pipelines")
    else:
        (tmp_path / "pipelines").mkdir()
        for name, text in settings_in_manifests().items():
            (tmp_path / ("" if name == "postroom.yaml" else "pipelines") / name).write_text(text)
    assert [str(problem) for problem in review(tmp_path / "postroom.yaml").problems] == []


def test_the_rules_before_dovecot_pass_their_own_tests() -> None:
    verdicts = [*trial.run(load_pipeline(str(DEPLOY / "dovecot/pipelines/deliver.yaml")))]
    assert [(verdict.name, verdict.diff) for verdict in verdicts if not verdict.passed] == []
    assert len(verdicts) == 3


def test_the_steps_of_an_installation_name_files_that_are_there() -> None:
    steps = (DEPLOY / "README.md").read_text("utf-8").partition("```text")[2].partition("```")[0]
    named = re.findall(r"(?<=\s)(deploy/[\w./@-]+|pipelines)(?=\s)", steps)
    assert len(set(named)) == 3
    assert all((ROOT / name).exists() for name in named)


@pytest.mark.parametrize("file", [file for file in MANIFESTS if file.stem != "config"], ids=lambda file: file.name)
def test_a_deployment_runs_a_command_that_exists_and_mounts_what_it_declares(file: Path) -> None:
    [deployment] = documents(file)
    pod = deployment["spec"]["template"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    [container] = pod["spec"]["containers"]
    parse_command(container["args"])
    assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in pod["spec"]["volumes"]}
    mounted = {mount.get("subPath") for mount in container["volumeMounts"]} - {None}
    assert mounted == set(settings_in_manifests())
    for probe in ("livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"] in ("/healthz", "/readyz")


@pytest.fixture(scope="module")
def series() -> set[str]:
    """Names of everything on the page, as queries may name it."""
    metrics = Metrics()
    metrics.ask(Questions(counts=Counts, backlogs=dict, queue=lambda: 0, free=lambda: 0))
    names = set()
    for family in text_string_to_metric_families(metrics.page()[0].decode()):
        names.add(family.name)
        match family.type:
            case "counter":
                names.add(f"{family.name}_total")
            case "histogram":
                names |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count")}
    return names


def queries() -> Iterator[tuple[str, str]]:
    [rules] = documents(DEPLOY / "prometheus/rules.yml")
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    board = json.loads((DEPLOY / "grafana/postroom.json").read_text(encoding="utf-8"))
    for variable in board["templating"]["list"]:
        yield variable["name"], variable["query"]
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("name", "query"), list(queries()), ids=lambda value: value if value.isidentifier() else "")
def test_a_query_names_metrics_that_exist_and_closes_what_it_opens(name: str, query: str, series: set[str]) -> None:
    assert set(SERIES.findall(query)) <= series, name
    for opening, closing in ("()", "{}", "[]"):
        assert query.count(opening) == query.count(closing), name


def test_prometheus_own_tool_is_content() -> None:
    tool = shutil.which("promtool")
    if tool is None:  # not among the servers that tests need
        return
    for check in (["rules", DEPLOY / "prometheus/rules.yml"], ["config", DEPLOY / "prometheus/prometheus.yml"]):
        asked = subprocess.run([tool, "check", *check], capture_output=True, text=True, timeout=60, check=False)
        assert asked.returncode == 0, asked.stderr


def test_every_alert_says_what_is_wrong() -> None:
    [rules] = documents(DEPLOY / "prometheus/rules.yml")
    alerts = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]


def test_prometheus_finds_its_rules_and_the_containers(compose: Any) -> None:
    [config] = documents(DEPLOY / "prometheus/prometheus.yml")
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
    [job] = config["scrape_configs"]
    [found] = job["dns_sd_configs"]
    assert set(found["names"]) <= set(compose["services"])
    [settings] = documents(DEPLOY / "compose/postroom.yaml")
    assert settings["metrics"]["listen"].endswith(f":{found['port']}")


def deliveries() -> Iterator[tuple[str, list[str]]]:
    """How the recipes hand over a message."""
    master = (DEPLOY / "postfix/master.cf").read_text(encoding="utf-8")
    for service in re.findall(r"argv=(.*\n  .*)$", master, re.MULTILINE):
        yield "master.cf", service.split()
    forward = shlex.split((DEPLOY / "postfix/forward").read_text(encoding="utf-8"), comments=True)
    yield "forward", forward[0].lstrip("|").split()
    [mda] = re.findall(r'^\s*mda "(.*)"$', (DEPLOY / "fetchmail/fetchmailrc").read_text(encoding="utf-8"), re.MULTILINE)
    yield "fetchmailrc", mda.split()


@pytest.mark.parametrize(("name", "command"), list(deliveries()), ids=[name for name, _ in deliveries()])
def test_a_recipe_hands_over_with_options_that_exist(name: str, command: list[str]) -> None:
    program, *options = command
    if program == "/opt/postroom/bin/postroom":
        assert options.pop(0) == "filter"
        parser().parse_args(options)
        return
    assert program == "/opt/postroom/bin/postroom-deliver"
    script = (DEPLOY / "postroom-deliver").read_text(encoding="utf-8")
    assert all(f'"{option.partition("=")[0]}"' in script for option in options)


@pytest.fixture(scope="module")
def postconf() -> str:
    found = shutil.which("postconf")
    assert found, "Postfix is missing: apt-get install postfix"
    return found


def test_postfix_reads_its_lines(postconf: str, tmp_path: Path) -> None:
    for name in ("main.cf", "master.cf"):
        shutil.copy(DEPLOY / "postfix" / name, tmp_path)

    def ask(*arguments: str) -> str:
        asked = subprocess.run(
            [postconf, "-c", tmp_path, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        assert asked.stderr == ""
        return asked.stdout

    assert ask("-n", "virtual_transport") == "virtual_transport = lmtp:inet:127.0.0.1:2424\n"
    for service in ("postroom/unix", "postroom-deliver/unix"):
        assert "--recipient=${recipient}" in ask("-M", service)


def test_fetchmail_reads_its_lines(tmp_path: Path) -> None:
    fetchmail = shutil.which("fetchmail")
    if fetchmail is None:  # not among the servers that tests need
        return
    copy = tmp_path / "fetchmailrc"
    shutil.copy(DEPLOY / "fetchmail/fetchmailrc", copy)
    copy.chmod(0o600)
    asked = subprocess.run(
        [fetchmail, "-f", copy, "--configdump"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "FETCHMAILHOME": str(tmp_path)},
    )
    assert asked.returncode == 0, asked.stderr
    assert "postroom filter --sender=%F" in asked.stdout
