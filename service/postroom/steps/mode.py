"""File modes as operators write them: `0640`."""

from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema


def parse_mode(value: object) -> int:
    """Octal digits. YAML 1.2 reads 0640 as the number 640, so a number's decimal digits are taken as octal,
    too.
    """
    try:
        mode = -1 if isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ValueError("a file mode is octal digits up to 0777: 0640")
    return mode


Mode = Annotated[
    int,
    BeforeValidator(parse_mode),
    PlainSerializer(lambda mode: f"{mode:04o}", return_type=str),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[0-7]{1,4}$"}]}),
]
