"""Content types from content."""

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.magic import content_type

_EXECUTABLE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + bytes(44) + b"\x80\0\0\0" + bytes(64) + b"PE\0\0"
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
_OPEN_XML = "application/vnd.openxmlformats-officedocument."


def archive(*names: str, stored: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        if stored:
            file.writestr("mimetype", stored)
        for name in names:
            file.writestr(name, "content", zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tape() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        file.addfile(tarfile.TarInfo("a"))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"%PDF-1.7\n%\xe2\xe3", "application/pdf", id="pdf"),
        pytest.param(b"\r\n\r\n%PDF-1.7\n", "application/pdf", id="pdf-after-junk"),
        pytest.param(_EXECUTABLE, "application/vnd.microsoft.portable-executable", id="windows-program"),
        pytest.param(b"\x7fELF\x02\x01\x01" + bytes(9), "application/x-executable", id="elf"),
        pytest.param(b"\xcf\xfa\xed\xfe\x07\0\0\x01", "application/x-mach-binary", id="mach-o"),
        pytest.param(b"L\0\0\0\x01\x14\x02\0" + bytes(9), "application/x-ms-shortcut", id="shortcut"),
        pytest.param(b"#!/bin/sh\necho hi\n", "text/x-script", id="script"),
        pytest.param(archive("a.txt"), "application/zip", id="zip"),
        pytest.param(b"PK\x05\x06" + bytes(18), "application/zip", id="empty-zip"),
        pytest.param(archive("[Content_Types].xml", "word/a.xml"), f"{_OPEN_XML}wordprocessingml.document", id="docx"),
        pytest.param(archive("[Content_Types].xml", "xl/a.xml"), f"{_OPEN_XML}spreadsheetml.sheet", id="xlsx"),
        pytest.param(archive("META-INF/MANIFEST.MF", "a.class"), "application/java-archive", id="jar"),
        pytest.param(
            archive(stored="application/vnd.oasis.opendocument.text"),
            "application/vnd.oasis.opendocument.text",
            id="odt",
        ),
        pytest.param(archive(stored="application/epub+zip"), "application/epub+zip", id="epub"),
        pytest.param(_COMPOUND, "application/x-ole-storage", id="compound-file"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image/png", id="png"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x10JFIF\0", "image/jpeg", id="jpeg"),
        pytest.param(b"GIF89a\1\0\1\0", "image/gif", id="gif"),
        pytest.param(b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp", id="webp"),
        pytest.param(b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0", "image/bmp", id="bmp"),
        pytest.param(b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "image/svg+xml", id="svg"),
        pytest.param(gzip.compress(b"hello"), "application/gzip", id="gzip"),
        pytest.param(bz2.compress(b"hello"), "application/x-bzip2", id="bzip2"),
        pytest.param(lzma.compress(b"hello"), "application/x-xz", id="xz"),
        pytest.param(tape(), "application/x-tar", id="tar-by-the-library"),
        pytest.param(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "video/mp4", id="mp4-by-the-library"),
        pytest.param(b"SQLite format 3\0" + bytes(80), "application/x-sqlite3", id="sqlite-by-the-library"),
        pytest.param(b"\n<!-- x --><HTML><p>", "text/html", id="html"),
        pytest.param(b"<?xml version='1.0'?><a/>", "application/xml", id="xml"),
        pytest.param(b"{\\rtf1\\ansi}", "application/rtf", id="rtf"),
        pytest.param(b"BEGIN:VCALENDAR\r\n", "text/calendar", id="calendar"),
        pytest.param(b"Hello\r\n", "text/plain", id="text"),
        pytest.param("Grüße".encode("latin-1"), "text/plain", id="latin-1-text"),
        pytest.param("Hello".encode("utf-16"), "text/plain", id="utf-16-text"),
        pytest.param(b"MZ is short for Mark Zbikowski\n", "text/plain", id="text-like-a-program"),
        pytest.param(b"BM is a brand\n", "text/plain", id="text-like-a-picture"),
        pytest.param(b"\x01\x02\x03\x04junk", "application/octet-stream", id="unknown"),
        pytest.param(b"", "application/octet-stream", id="empty"),
    ],
)
def test_the_content_says_what_it_is(head: bytes, expected: str) -> None:
    assert content_type(head) == expected


@pytest.mark.parametrize("name", ["invoice.pdf", "photo.png", "letter.docx", "a.txt", "", "."])
def test_a_program_is_a_program_whatever_its_name_says(name: str) -> None:
    assert content_type(_EXECUTABLE, name) == "application/vnd.microsoft.portable-executable"


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (_COMPOUND, "a.DOC", "application/msword"),
        (_COMPOUND, "a.xls", "application/vnd.ms-excel"),
        (_COMPOUND, "a.pdf", "application/x-ole-storage"),
        (archive("[Content_Types].xml"), "a.pptx", f"{_OPEN_XML}presentationml.presentation"),
        (archive("[Content_Types].xml", "xl/a"), "a.xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12"),
        (archive("[Content_Types].xml", "xl/a"), "a.docx", f"{_OPEN_XML}spreadsheetml.sheet"),
        (archive("evil.exe"), "a.docx", "application/zip"),
        (b"just text", "a.pdf", "text/plain"),
    ],
)
def test_a_name_decides_only_between_formats_of_one_container(head: bytes, name: str, expected: str) -> None:
    assert content_type(head, name) == expected


def test_common_files_are_told_without_the_library() -> None:
    program = (
        "import sys; from postroom.message.magic import content_type;"
        "content_type(b'%PDF-1.4'); content_type(b'text'); sys.exit('puremagic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@given(
    st.sampled_from(
        [b"", b"MZ", b"PK\x03\x04", b"RIFF", b"BM", b"%PDF-", b"<!--", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
    ),
    st.binary(max_size=200),
    st.text(max_size=20),
)
def test_every_content_has_a_type(start: bytes, rest: bytes, name: str) -> None:
    assert content_type(start + rest, name).count("/") == 1
