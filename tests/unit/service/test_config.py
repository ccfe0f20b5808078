"""The files are read whole, and what changes in them afterwards is noticed."""

import threading
from pathlib import Path

import pytest

from postroom.errors import Misconfigured
from postroom.service import read

SETTINGS = 'state: state\npipelines: pipelines\nmailboxes: {{box: {{url: "maildir:{to}", pipeline: main}}}}\n'
KEEP = "name: {name}\nrules: [{{name: all, do: keep}}]\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/main.yaml").write_text(KEEP.format(name="main"))
    (tmp_path / "postroom.yaml").write_text(SETTINGS.format(to="box"))
    return tmp_path / "postroom.yaml"


def test_what_was_read_is_up_to_date_until_a_file_changes_comes_or_goes(file: Path) -> None:
    config = read(file)
    assert config.look() == config.seen
    other = file.parent / "pipelines/other.yaml"
    other.write_text(KEEP.format(name="other"))
    assert config.look() != config.seen
    other.unlink()
    assert config.look() == config.seen
    file.write_text(SETTINGS.format(to="bix"))
    assert config.look() != config.seen


def test_files_that_are_written_all_the_time_are_read_all_the_same(file: Path) -> None:
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            (file.parent / "new").write_text(SETTINGS.format(to="box"))
            (file.parent / "new").rename(file)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert list(read(file).settings.mailboxes) == ["box"]
    finally:
        over.set()
        writer.join()


def test_a_broken_file_is_no_configuration(file: Path) -> None:
    file.write_text("mailboxes: [")
    with pytest.raises(Misconfigured):
        read(file)
