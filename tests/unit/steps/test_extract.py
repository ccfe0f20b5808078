import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Permanent
from postroom.message import Limits
from postroom.pipeline.outcome import Effect, Receipt
from postroom.testing import Attachment

PDF = b"%PDF-1.7\n"


def extract(
    tmp_path: Path, *attachments: str | Attachment, key: str = "k1", **options: Any
) -> tuple[Effect | None, Receipt]:
    raw = testing.message(from_="ann@acme.example", attachments=attachments)
    step = steps.step("extract").model_validate({"to": "out", **options})
    tools = testing.tools(tmp_path)
    made = [*step.plan(testing.view(raw), tools)]
    if not made:
        return None, Receipt()
    [effect] = made
    assert isinstance(effect, Effect)
    again = steps.effect(effect.word).model_validate_json(effect.model_dump_json())
    assert again == effect
    return again, again.perform(testing.letter(raw, key=key), tools)


def files(tmp_path: Path) -> dict[str, bytes]:
    root = tmp_path / "files"
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_attachments_become_files_in_the_directory_as_rendered(tmp_path: Path) -> None:
    effect, receipt = extract(
        tmp_path,
        Attachment("a.pdf", content=PDF),
        "b.png",
        to="invoices/{{ received.year }}/{{ from.domain }}",
    )
    assert effect is not None
    assert (effect.target, effect.delivers) == ("invoices/2026/acme.example", False)
    assert set(files(tmp_path)) == {"invoices/2026/acme.example/a.pdf", "invoices/2026/acme.example/b.png"}
    assert files(tmp_path)["invoices/2026/acme.example/a.pdf"] == PDF
    assert receipt.detail == "attachment 1 was written; attachment 2 was written"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"types": ["application/pdf"]}, {"a.pdf", "called.exe"}),
        ({"types": "image/*"}, {"b.png"}),
        ({"names": ["*.PDF", "b.*"]}, {"a.pdf", "b.png"}),
        ({"larger": "1KB"}, {"big.bin"}),
        ({"names": "*", "types": "image/*", "larger": "1KB"}, set[str]()),
    ],
    ids=["type by content too", "one glob", "names", "larger", "all must hold"],
)
def test_only_what_is_selected_is_written(tmp_path: Path, options: dict[str, Any], names: set[str]) -> None:
    attachments = (
        Attachment("a.pdf", content=PDF),
        Attachment("called.exe", type="application/x-msdownload", content=PDF),
        "b.png",
        Attachment("big.bin", size=5000),
    )
    extract(tmp_path, *attachments, **options)
    assert {Path(name).name for name in files(tmp_path)} == names


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd", "/etc/passwd", r"..\..\boot.ini", "..", ".", "", ".bashrc", "a/b/c.txt",
        "x" * 1000 + ".txt", "tab\tstop.txt", "CON", "\u202efdp.exe", "~root", "-rf", "{{ from }}", "a:b", "日本.txt",
    ],
    ids=lambda name: ascii(name)[:20],
)  # fmt: skip
def test_a_hostile_name_stays_one_name_in_the_directory(tmp_path: Path, name: str) -> None:
    extract(tmp_path, Attachment(name, content=b"x"))
    [path] = files(tmp_path)
    folder, _, file = path.partition("/")
    assert folder == "out"
    assert file
    assert "/" not in file
    assert not file.startswith(".")
    assert file.isprintable()
    assert len(file.encode()) <= 255
    assert {p.name for p in tmp_path.iterdir()} == {"files"}


def test_nothing_is_overwritten_and_equal_files_are_left(tmp_path: Path) -> None:
    for number, content in enumerate([b"1", b"2", b"1", b"3"]):
        extract(tmp_path, Attachment("f.txt", content=content), key=f"k{number}")
    assert files(tmp_path) == {"out/f.txt": b"1", "out/f-1.txt": b"2", "out/f-2.txt": b"3"}


def test_attachments_of_one_name_each_get_a_file(tmp_path: Path) -> None:
    extract(tmp_path, Attachment("f.txt", content=b"1"), Attachment("f.txt", content=b"2"))
    assert files(tmp_path) == {"out/f.txt": b"1", "out/f-1.txt": b"2"}


def test_a_second_try_finds_the_first_ones_files(tmp_path: Path) -> None:
    attachments = [Attachment("f.txt", content=b"1"), Attachment("f.txt", content=b"2")]
    assert not extract(tmp_path, *attachments)[1].repeated
    before = files(tmp_path)
    (tmp_path / "files/out/.postroom-k1-1-abcd").write_bytes(b"cut o")
    assert extract(tmp_path, *attachments)[1].repeated
    assert files(tmp_path) == before


def test_a_name_with_nul_and_line_breaks_in_its_encoding_is_cleaned(tmp_path: Path) -> None:
    raw = testing.message(attachments=["x"]).replace(b'filename="x"', b"filename*=UTF-8''..%2F%0Aa%00b%0D.txt")
    tools = testing.tools(tmp_path)
    [effect] = steps.step("extract").model_validate({"to": "out"}).plan(testing.view(raw), tools)
    assert isinstance(effect, Effect)
    effect.perform(testing.letter(raw), tools)
    [path] = files(tmp_path)
    assert Path(path).parent.name == "out"
    assert Path(path).name.isprintable()
    assert Path(path).suffix == ".txt"


def test_what_is_over_the_limits_stays_in_the_message_and_is_told_by_number(tmp_path: Path) -> None:
    attachments = [
        Attachment("secret.txt", size=2000), Attachment("b.txt", size=1000),
        Attachment("c.txt", size=10), Attachment("d.txt", size=10),
    ]  # fmt: skip
    _, receipt = extract(tmp_path, *attachments, count=3, **{"per-file": "1KB"})
    assert set(files(tmp_path)) == {"out/b.txt", "out/c.txt"}
    assert "attachment 1 is over the limit" in receipt.detail
    assert "1 more" in receipt.detail
    assert "secret" not in receipt.detail


def test_the_name_can_be_made_from_what_the_message_says(tmp_path: Path) -> None:
    extract(tmp_path, "a/b.pdf", name="{{ received.date }} {{ from.domain }} {{ attachment.name }}")
    assert set(files(tmp_path)) == {"out/2026-03-01 acme.example b.pdf"}


def test_a_symbolic_link_below_the_root_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "files/acme.example").symlink_to(tmp_path / "outside")
    with pytest.raises(Permanent, match="symbolic link"):
        extract(tmp_path, "a.pdf", to="{{ from.domain }}")
    assert not [*(tmp_path / "outside").iterdir()]


@pytest.mark.parametrize(
    ("mode", "file", "folder"),
    [("0640", 0o640, 0o750), (640, 0o640, 0o750), ("0600", 0o600, 0o700), ("0664", 0o664, 0o755)],
    ids=repr,
)
def test_the_mode_is_octal_and_directories_can_be_entered_by_who_may_read(
    tmp_path: Path, mode: object, file: int, folder: int
) -> None:
    before = os.umask(0o077)
    try:
        extract(tmp_path, "a.pdf", mode=mode, to="{{ from.domain }}")
    finally:
        os.umask(before)
    made = tmp_path / "files/acme.example"
    assert (made / "a.pdf").stat().st_mode & 0o777 == file
    assert made.stat().st_mode & 0o777 == folder


@pytest.mark.parametrize("mode", ["0999", "rw-r--r--", -1, True, "1777", 1.5, None], ids=repr)
def test_a_mode_that_is_none_is_refused(tmp_path: Path, mode: object) -> None:
    with pytest.raises(ValidationError, match="octal"):
        extract(tmp_path, "a.pdf", mode=mode)


def test_parts_are_found_under_the_limits_they_were_chosen_under(tmp_path: Path) -> None:
    raw = testing.message(attachments=["a.pdf", "b.pdf", "c.pdf"])
    [effect] = steps.step("extract").model_validate({"to": "out"}).plan(testing.view(raw), testing.tools(tmp_path))
    assert isinstance(effect, Effect)
    with pytest.raises(Permanent, match="limits"):
        effect.perform(testing.letter(raw), testing.tools(tmp_path, limits=Limits(parts=2)))


def test_a_message_without_such_attachments_has_no_effect(tmp_path: Path) -> None:
    assert extract(tmp_path)[0] is None
