"""The wheel that is built from a copy of the project: one package, the shipped configuration inside."""

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("service", "config", "deploy", "pipelines", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(copy / "dist")]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    [made] = (copy / "dist").glob("postroom-*.whl")
    return made


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return set(archive.namelist())


def below(directory: Path) -> set[str]:
    return {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}


def test_a_wheel_holds_one_package_and_what_is_told_of_it(wheel: Path) -> None:
    top = {name.split("/")[0] for name in names(wheel)}
    assert {one for one in top if not one.endswith((".dist-info", ".data"))} == {"postroom"}
    assert len(top) == 3
    assert {"postroom/__main__.py", "postroom/py.typed", "postroom/cli/filter.py"} <= names(wheel)
    assert not [name for name in names(wheel) if name.startswith("postroom/reference/")]


@pytest.mark.parametrize("folder", ["config", "pipelines"])
def test_a_wheel_ships_the_configuration_and_the_pipelines(wheel: Path, folder: str) -> None:
    shipped = f"postroom/shipped/{folder}/"
    inside = {name.removeprefix(shipped) for name in names(wheel) if name.startswith(shipped)}
    assert inside == below(ROOT / folder)


def test_a_wheel_holds_the_files_as_they_are_and_no_leftovers(wheel: Path) -> None:
    assert not [name for name in names(wheel) if name.endswith(".pyc") or "__pycache__" in name or "tests" in name]
    with ZipFile(wheel) as archive:
        settings = archive.read("postroom/shipped/config/postroom.yaml")
    assert settings == (ROOT / "config/postroom.yaml").read_bytes()


def test_a_wheel_brings_the_client_for_pipes_as_it_is(wheel: Path) -> None:
    [script] = [name for name in names(wheel) if ".data/" in name]
    assert script.endswith(".data/scripts/postroom-deliver")
    with ZipFile(wheel) as archive:
        assert archive.read(script) == (ROOT / "deploy/postroom-deliver").read_bytes()


def test_init_from_a_wheel_copies_what_it_ships(wheel: Path, tmp_path: Path) -> None:
    with ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    command = [sys.executable, "-m", "postroom", "init", str(tmp_path / "mine")]
    environment = {"PYTHONPATH": str(tmp_path / "installed"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for folder in ("config", "pipelines"):
        assert below(tmp_path / "mine" / folder) == below(ROOT / folder)
