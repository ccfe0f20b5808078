"""The fields of a model as rows of a table."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from postroom.reference.kinds import spelled, written


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: what may stand there, its default, and what it is for. `default`: "required", or empty."""

    name: str
    kind: str
    default: str
    text: str


def entries(model: type[BaseModel]) -> Iterator[Entry]:
    """All fields, by the names that operators write."""
    told = docstrings(model)
    for name, field in model.model_fields.items():
        kind = spelled(field.annotation, field.metadata, null=False)
        default = "" if field.default is PydanticUndefined else written(field.default, kind)
        text = field.description or told.get(name, "")
        yield Entry(field.alias or name, kind, "required" if field.is_required() else default, text)


def table(rows: Iterable[Entry], first: str = "key") -> str:
    """Markdown."""
    lines = [f"| {first} | value | default | |", "|---|---|---|---|"]
    lines += [f"| `{row.name}` | {row.kind} | {row.default} | {row.text} |" for row in rows]
    return "\n".join(lines) + "\n"


def docstrings(cls: type) -> dict[str, str]:
    """What stands below each attribute of a class, its properties' docstrings included."""
    body = ast.parse(dedent(inspect.getsource(cls))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for one, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(one, ast.FunctionDef):
            found[one.name] = flowing(ast.get_docstring(one) or "")
        elif name := _assigned(one):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = flowing(inspect.cleandoc(text))
    return found


def flowing(text: str) -> str:
    """One line."""
    return " ".join(text.split())


def _assigned(one: ast.stmt) -> str:
    match one:
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""
