"""Format=flowed text as the paragraphs that it stands for (RFC 3676)."""

_SIGNATURE = "-- "


def unflow(text: str, delsp: bool) -> str:
    """Join the lines of each paragraph; `delsp`: the space before a soft break is no part of the text.

    Quoted paragraphs keep one `>` for each level and a space. Space-stuffing is undone. A paragraph ends
    where the quote level changes, even after a soft break (RFC 3676 §4.5), and a signature separator is a
    line of its own.
    """
    body = text.replace("\r\n", "\n")
    text = body.removesuffix("\n")
    lines: list[str] = []
    paragraph: list[str] = []
    level = 0
    for raw in text.split("\n"):
        content = raw.lstrip(">")
        depth = len(raw) - len(content)
        content = content.removeprefix(" ")
        if paragraph and (depth != level or content == _SIGNATURE):
            lines.append(_joined(paragraph, level))
            paragraph = []
        level = depth
        soft = content.endswith(" ") and content != _SIGNATURE
        paragraph.append(content[:-1] if soft and delsp else content)
        if not soft:
            lines.append(_joined(paragraph, level))
            paragraph = []
    if paragraph:
        lines.append(_joined(paragraph, level))
    return "\n".join(lines) + body[len(text) :]


def _joined(paragraph: list[str], level: int) -> str:
    text = "".join(paragraph)
    return f"{'>' * level} {text}" if level else text
