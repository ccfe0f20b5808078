"""Bytes with a charset label to text: the label, then UTF-8, then cp1252; never an exception.

Only codecs of the list below are ever looked up: Python's own registry also holds punycode, idna, rot13, zip
and other things that a sender must not be able to choose.
"""

import re
from functools import lru_cache

from postroom.message.defects import Defect, note

_PLAIN = """
    utf-8 utf-7 utf-16 utf-16le utf-16be utf-32 utf-32le utf-32be iso-8859-2 iso-8859-3 iso-8859-4
    iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-10 iso-8859-13 iso-8859-14 iso-8859-15
    iso-8859-16 koi8-r koi8-u koi8-t kz1048 cp437 cp720 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860
    cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 cp932 cp949 cp950 cp1006 cp1125 cp1250 cp1251 cp1252
    cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 mac-roman mac-cyrillic mac-greek mac-latin2 mac-turkish
    mac-iceland ptcp154 big5hkscs euc-jp euc-jis-2004 shift-jis-2004 johab hz gb18030 iso2022-jp-2
    iso2022-jp-3 iso2022-jp-ext iso2022-kr
""".split()  # noqa: SIM905 - a table reads better than ninety lines
# Labels in the form of _key. Where a label is commonly used for a superset, the superset decodes it (WHATWG
# Encoding).
_CODECS = {re.sub(r"[^a-z0-9]", "", name): name for name in _PLAIN} | {
    **dict.fromkeys(("ascii", "usascii", "ansix341968", "iso646us", "us", "cp367", "7bit"), "ascii"),
    **dict.fromkeys(("utf8", "unicode11utf8", "utf", "xutf8", "unicode"), "utf-8"),
    **dict.fromkeys(("iso88591", "latin1", "l1", "iso885911987", "8859", "88591", "ibm819", "cp819"), "cp1252"),
    **dict.fromkeys(("ansi", "xansi", "winlatin1"), "cp1252"),
    **dict.fromkeys(("latin2", "l2", "88592"), "iso-8859-2"),
    **dict.fromkeys(("cyrillic", "88595"), "iso-8859-5"),
    **dict.fromkeys(("iso88598i", "iso88598e", "hebrew", "visual"), "iso-8859-8"),
    **dict.fromkeys(("iso88596i", "iso88596e", "arabic"), "iso-8859-6"),
    **dict.fromkeys(("greek", "88597"), "iso-8859-7"),
    **dict.fromkeys(("iso88599", "latin5", "l5", "88599"), "cp1254"),
    **dict.fromkeys(("iso885911", "tis620", "tis62025330"), "cp874"),
    **dict.fromkeys(("latin9", "l9", "885915"), "iso-8859-15"),
    **dict.fromkeys(("koi8", "koi"), "koi8-r"),
    **dict.fromkeys(("macintosh", "mac", "xmacroman"), "mac-roman"),
    **dict.fromkeys(("big5", "bigfive", "cnbig5", "xxbig5", "big5eten"), "big5hkscs"),
    **dict.fromkeys(("gb2312", "gb231280", "gbk", "xgbk", "cp936", "euccn", "xeuccn", "cngb", "iso2022cn"), "gb18030"),
    **dict.fromkeys(("hzgb2312",), "hz"),
    **dict.fromkeys(("euckr", "ksc56011987", "ksc5601", "kscp5601", "korean", "uhc", "xwindows949"), "cp949"),
    **dict.fromkeys(("shiftjis", "sjis", "xsjis", "mskanji", "csshiftjis", "windows31j", "ms932"), "cp932"),
    **dict.fromkeys(("xeucjp", "ujis", "eucjis", "cseucpkdfmtjapanese"), "euc-jp"),
    **dict.fromkeys(("iso2022jp", "csiso2022jp", "iso2022jp1"), "iso2022-jp-ext"),
    **{f"windows{page}": f"cp{page}" for page in (874, 932, 949, 950, *range(1250, 1259))},
    **{f"ibm{page}": f"cp{page}" for page in (437, 720, 737, 775, 850, 852, 855, 857, 858, *range(860, 867), 869)},
}
_NOT_IN_KEY = re.compile(r"[^a-z0-9]+")
_HIGH_AS_CP1252 = {
    byte: bytes([byte]).decode("cp1252", "replace").replace("�", chr(byte)) for byte in range(0x80, 0xA0)
}
_LONGEST_LABEL = 64
_SURROGATES = re.compile("[\ud800-\udfff]")
# A long text with a few broken characters is better read with them marked than wholly in another charset.
_CLEAN_FOR_EACH_BROKEN = 32


@lru_cache(maxsize=256)
def codec(label: str) -> str | None:
    """Give the codec for a label, or None where none is admitted. Case and punctuation do not count."""
    return _CODECS.get(_NOT_IN_KEY.sub("", label.lower()))


def decode(content: bytes, label: str = "", found: set[Defect] | None = None) -> str:
    """Decode by the label, then UTF-8, then cp1252, which takes any byte; adds to `found` what was wrong.

    The result holds no surrogates. A byte order mark is dropped.
    """
    name = codec(label[:_LONGEST_LABEL]) if label else "utf-8"
    if name is None:
        note(found, Defect.UNKNOWN_CHARSET)
        return _guess(content)
    try:
        if content.isascii() and name in ("utf-8", "ascii", "cp1252"):
            return content.decode("ascii")
        text = content.decode(name)
    except UnicodeError:
        if name != "cp1252":
            note(found, Defect.WRONG_CHARSET)
        return _damaged(content, name)
    if name == "utf-7":
        # The one codec that lets surrogates through.
        text = _SURROGATES.sub("�", text)
    return text.removeprefix("\ufeff")


def _damaged(content: bytes, name: str) -> str:
    """Read what is not quite what its label says."""
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        pass
    if name in ("ascii", "cp1252"):
        return _as_cp1252(content)
    text = content.decode(name, "replace")
    if text.count("�") * _CLEAN_FOR_EACH_BROKEN > len(text):
        return _as_cp1252(content)
    return text.removeprefix("\ufeff")


def _guess(content: bytes) -> str:
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return _as_cp1252(content)


def _as_cp1252(content: bytes) -> str:
    # The five bytes that cp1252 leaves open become C1 controls, as in browsers, so that every byte gives a
    # character.
    return content.decode("latin-1").translate(_HIGH_AS_CP1252)
