"""Which templates are admitted: the names that exist, and nothing whose cost or failure a sender could cause.

Jinja2 parses; what may stand in the tree is a closed list. Loops run over facts and never nest, calls and arithmetic
do not exist but for `received.strftime("…")`, and every filter has a bound: so no template fails or grows on a
message, whatever stands in it.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from postroom.pipeline.templates.values import ATTRIBUTES, DIRECTIVES, VALUES
from postroom.suggestions import nearest

if TYPE_CHECKING:
    from jinja2 import nodes

FILTERS: Final = frozenset(
    {"capitalize", "d", "default", "first", "join", "last", "length", "lower", "replace", "sort", "string", "title",
     "trim", "truncate", "unique", "upper"}
)  # fmt: skip
TESTS: Final = frozenset({"defined", "undefined", "none"})
NODES: Final = frozenset(
    {"Template", "Output", "TemplateData", "Name", "Const", "Getattr", "Getitem", "Filter", "Test", "Call", "CondExpr",
     "If", "For", "Compare", "Operand", "And", "Or", "Not", "Concat", "List", "Tuple"}
)  # fmt: skip
_LONGEST = 10_000
_SIMPLE = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}", re.ASCII)
_FLAT = "an attribute of a value, as in {{ from.domain }}"

Path = tuple[str, ...]


def simple(source: str) -> list[str | Path] | None:
    """Literal text and dotted names in turn, where the source holds nothing else; None: Jinja2 has to read it."""
    pieces: list[str | Path] = []
    position = 0
    for found in _SIMPLE.finditer(source):
        pieces += [source[position : found.start()], tuple(found[1].split("."))]
        position = found.end()
    pieces.append(source[position:])
    literal = "".join(piece for piece in pieces if isinstance(piece, str))
    return None if any(mark in literal for mark in ("{{", "{%", "{#", "}}", "%}", "#}")) else pieces


def check_path(path: Path, extra: frozenset[str], local: frozenset[str] = frozenset()) -> None:
    """Raise ValueError where no such value exists."""
    name = path[0]
    if name in local:
        if len(path) > 1:
            raise ValueError(f"`{name}` is a text without attributes; there is no `{'.'.join(path)}`")
        return
    if name not in VALUES and name not in extra:
        known = sorted({*VALUES, *extra})
        raise ValueError(f"there is no value `{name}`{_meant(name, known)}")
    for depth in range(1, len(path)):
        inner = ".".join(path[:depth])
        if path[depth].startswith("_"):
            raise ValueError(f"`{path[depth]}` begins with an underscore")
        if inner not in ATTRIBUTES:
            if path[0] in ("match", "facts"):
                return  # what a script answers has the shape that the script gives it
            raise ValueError(f"`{inner}` has no attribute `{path[depth]}`")
        known = sorted(ATTRIBUTES[inner] or ())
        if known and path[depth] not in known:
            raise ValueError(f"`{inner}` has no attribute `{path[depth]}`{_meant(path[depth], known)}")


def _meant(word: str, known: list[str]) -> str:
    near = nearest(word, known)
    listed = ", ".join(known)
    return f"; did you mean `{near}`? There are: {listed}" if near else f"; there are: {listed}"


def check_tree(tree: "nodes.Template", extra: frozenset[str]) -> Iterator[Path]:
    """Give each value that the template names. Raises ValueError, with the remedy, for what is not admitted."""
    yield from _Check(extra).walk(tree, frozenset())


class _Check:
    def __init__(self, extra: frozenset[str]) -> None:
        self._extra = extra

    def walk(self, node: "nodes.Node", local: frozenset[str]) -> Iterator[Path]:
        from jinja2 import nodes

        kind = type(node).__name__
        if kind not in NODES:
            raise ValueError(f"a template cannot hold {_WORDS.get(kind, f'`{kind}`')}: use {_FLAT}, filters and `if`")
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                path = _path(node)
                check_path(path, self._extra, local)
                if path[0] not in local:
                    yield path
                return
            case nodes.Call():
                yield self._call(node)
                return
            case nodes.For():
                yield from self._loop(node, local)
                return
            case nodes.Filter():
                self._filter(node)
            case nodes.Test() if node.name not in TESTS:
                raise ValueError(f"there is no test `{node.name}`; there are: {', '.join(sorted(TESTS))}")
            case nodes.Const() if isinstance(node.value, str) and len(node.value) > _LONGEST:
                raise ValueError(f"a text in a template has at most {_LONGEST} characters")
        for child in node.iter_child_nodes():
            yield from self.walk(child, local)

    def _call(self, node: "nodes.Call") -> Path:
        from jinja2 import nodes

        form = node.args[0].value if len(node.args) == 1 and isinstance(node.args[0], nodes.Const) else None
        path = _path(node.node)
        plain = not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
        if path[1:] != ("strftime",) or path[0] not in ("date", "received") or not isinstance(form, str) or not plain:
            raise ValueError('a template calls nothing but received.strftime("…") and date.strftime("…")')
        if len(form) > 200 or any(found not in DIRECTIVES for found in re.findall(r"%(.?)", form.replace("%%", ""))):
            raise ValueError(f"strftime takes the directives %{' %'.join(sorted(DIRECTIVES))}, without flags or widths")
        return path[:1]

    def _loop(self, node: "nodes.For", local: frozenset[str]) -> Iterator[Path]:
        from jinja2 import nodes

        if local or node.recursive or node.test or node.else_ or not isinstance(node.target, nodes.Name):
            raise ValueError("a loop is a plain `{% for word in facts.tags %}`, without another one inside")
        yield from self.walk(node.iter, local)
        for child in node.body:
            yield from self.walk(child, frozenset({node.target.name}))

    def _filter(self, node: "nodes.Filter") -> None:
        from jinja2 import nodes

        if node.name not in FILTERS:
            known = sorted(FILTERS)
            raise ValueError(f"there is no filter `{node.name}`{_meant(node.name, known)}")
        arguments = [*node.args, *(pair.value for pair in node.kwargs)]
        if node.dyn_args or node.dyn_kwargs or not all(isinstance(argument, nodes.Const) for argument in arguments):
            raise ValueError(f"the filter `{node.name}` takes constants")


_WORDS: Final = {
    "Mul": "`*`", "Pow": "`**`", "Mod": "`%`", "Add": "`+` (texts are joined by `~`)", "Sub": "`-`", "Div": "`/`",
    "FloorDiv": "`//`", "Neg": "`-`", "Pos": "`+`", "Assign": "`set`", "AssignBlock": "`set`", "Macro": "macros",
    "Import": "`import`", "FromImport": "`import`", "Include": "`include`", "Extends": "`extends`", "Block": "blocks",
    "Dict": "mappings", "Slice": "slices", "CallBlock": "`call`", "FilterBlock": "filter blocks",
}  # fmt: skip


def _path(node: "nodes.Node") -> Path:
    from jinja2 import nodes

    match node:
        case nodes.Name():
            return (node.name,)
        case nodes.Getattr():
            return (*_path(node.node), node.attr)
        case nodes.Getitem() if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
            return (*_path(node.node), node.arg.value)
    raise ValueError(f"a template names {_FLAT}, or facts.script['NAME']")
