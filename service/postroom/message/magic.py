"""What content is, whatever its label and its name say.

Mail holds few kinds of files, and those are told by the tables below; what remains and is no text is left to
the library, which is imported only then. Its signatures of two or three bytes are not believed: anything may
begin so.
"""

import re

_UNKNOWN = "application/octet-stream"
_HEAD = 65536
_EXECUTABLE = "application/vnd.microsoft.portable-executable"
_OPEN_XML = "application/vnd.openxmlformats-officedocument."

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xca\xfe\xba\xbe", "application/java-vm"),
    (b"\0asm", "application/wasm"),
    (b"L\0\0\0\x01\x14\x02\0", "application/x-ms-shortcut"),
    (b"\x78\x9f\x3e\x22", "application/vnd.ms-tnef"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "application/ogg"),
    (b"wOF2", "font/woff2"),
)
_COMMENT = rb"(?:<!--.{0,500}?-->\s*)?"
_LOOSELY = re.IGNORECASE | re.DOTALL
_TEXTS = (
    (re.compile(rb"\{\\rtf", re.IGNORECASE), "application/rtf"),
    (re.compile(rb"%!PS"), "application/postscript"),
    (
        re.compile(rb"(?:<\?xml[^>]{0,200}>\s*)?" + _COMMENT + rb"<(?:!doctype )?svg\b", _LOOSELY),
        "image/svg+xml",
    ),
    (re.compile(_COMMENT + rb"<(?:!doctype\s+html|html|head|body|script)\b", _LOOSELY), "text/html"),
    (re.compile(rb"<\?xml\b"), "application/xml"),
    (re.compile(rb"BEGIN:VCALENDAR\b", re.IGNORECASE), "text/calendar"),
    (re.compile(rb"BEGIN:VCARD\b", re.IGNORECASE), "text/vcard"),
    (re.compile(rb"-----BEGIN PGP MESSAGE-----"), "application/pgp-encrypted"),
    (re.compile(rb"-----BEGIN PGP SIGNATURE-----"), "application/pgp-signature"),
    (re.compile(rb"-----BEGIN PGP PUBLIC KEY BLOCK-----"), "application/pgp-keys"),
    (re.compile(rb"#!\s*/"), "text/x-script"),
)
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}
_ZIP_MEMBERS = (
    (b"word/", ".docx"),
    (b"xl/", ".xlsx"),
    (b"ppt/", ".pptx"),
    (b"META-INF/MANIFEST.MF", ".jar"),
    (b"AndroidManifest.xml", ".apk"),
)
_ZIPS = {
    ".docx": f"{_OPEN_XML}wordprocessingml.document",
    ".docm": "application/vnd.ms-word.document.macroEnabled.12",
    ".xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".pptx": f"{_OPEN_XML}presentationml.presentation",
    ".pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    ".jar": "application/java-archive",
    ".apk": "application/vnd.android.package-archive",
}
_COMPOUND = {
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
    ".msg": "application/vnd.ms-outlook",
    ".msi": "application/x-msi",
}
# What text does not hold: the controls but tab, line ends, form feed and escape.
_BINARY = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"
_ZIP_NAME = 30


def content_type(head: bytes, name: str = "") -> str:
    """Give the media type of content by its first bytes: 8 KiB are enough, past 64 KiB nothing is looked at.

    `name` decides only between formats with the same container (`.doc` or `.xls`), never against the content:
    a program called `invoice.pdf` is a program. `text/plain` for what is text, `application/octet-stream` for
    what is not recognised. Never raises.
    """
    head = bytes(head[:_HEAD])
    extension = "." + name.rpartition(".")[2].strip().lower()
    return _binary(head, extension) or _text(head) or _by_library(head)


def _binary(head: bytes, extension: str) -> str:
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if head.startswith(b"MZ") and not _is_text(head):
        return _EXECUTABLE
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip(head, extension)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _COMPOUND.get(extension, "application/x-ole-storage")
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    if head.startswith(b"BM") and head[6:10] == bytes(4) and len(head) > 13:
        return "image/bmp"
    # Readers accept a few lines before the header of a PDF, and so do those who hide one.
    return "application/pdf" if b"%PDF-" in head[:1024] else ""


def _zip(head: bytes, extension: str) -> str:
    """Tell the formats that are ZIP archives by the names of the first members."""
    if head[_ZIP_NAME : _ZIP_NAME + 8] == b"mimetype":
        stored = re.compile(rb"[a-z]+/[a-z0-9.+-]{1,100}").match(head, _ZIP_NAME + 8)
        return stored[0].decode("ascii").partition("PK")[0] if stored else "application/zip"
    kind = next((ending for member, ending in _ZIP_MEMBERS if member in head), "")
    office = b"[Content_Types].xml" in head
    if office and extension in _ZIPS and (not kind or extension[:-1] == kind[:-1]):
        kind = extension
    if kind in (".jar", ".apk") or office:
        return _ZIPS.get(kind, "application/zip")
    return "application/zip"


def _text(head: bytes) -> str:
    if not head or not _is_text(head):
        return ""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:2048]
    return next((found for pattern, found in _TEXTS if pattern.match(start)), "text/plain")


def _is_text(head: bytes) -> bool:
    """Say whether this can be text in a charset that keeps ASCII, or in UTF-16 with a byte order mark."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return len(head.translate(None, _BINARY)) == len(head)


def _by_library(head: bytes) -> str:
    if not head:
        return _UNKNOWN
    import puremagic

    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return _UNKNOWN
    for match in matches:
        # Of the end of the content only a part of its head is known here: those signatures say nothing.
        if match.mime_type and match.offset >= 0 and len(match.byte_match) > 3:
            return str(match.mime_type)
    return _UNKNOWN
