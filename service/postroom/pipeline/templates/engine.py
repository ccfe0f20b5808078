"""Jinja2 behind the templates that need it: its immutable sandbox, with bounded filters and nothing global."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from postroom.pipeline.templates.contexts import Listed
from postroom.pipeline.templates.syntax import FILTERS, TESTS, Path, check_tree

if TYPE_CHECKING:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

LONGEST: Final = 10_000  # characters of one value on its way through filters


def compile_source(
    source: str, extra: frozenset[str], clean: Callable[[object], str]
) -> tuple[Callable[[Mapping[str, object]], str], frozenset[Path]]:
    """A function from values to text, and the values that it names. Raises ValueError with the remedy.

    `clean` makes each interpolated value safe for its place. What cannot be computed (a number compared with a text)
    reads as empty: the function never raises.
    """
    from jinja2 import TemplateSyntaxError

    environment = _environment(clean)
    try:
        tree = environment.parse(source)
        paths = frozenset(check_tree(tree, extra))
        template = environment.from_string(source)
    except TemplateSyntaxError as error:
        told = f"the template does not parse: {error.message}"
        for begin, end in (("{{", "}}"), ("{%", "%}")):
            if source.count(begin) > source.count(end):
                told = f"a `{begin}` in this template is not closed with `{end}`"
        raise ValueError(told) from None

    def render(values: Mapping[str, object]) -> str:
        written: list[str] = []
        try:
            written.extend(template.generate(values))
        except Exception:  # noqa: BLE001, S110, RUF100 - a value a stranger chose must not fail the message
            pass
        return "".join(written)

    return render, paths


def _environment(clean: Callable[[object], str]) -> "ImmutableSandboxedEnvironment":
    from jinja2 import ChainableUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    # Unknown names are errors when the template is read; what a message does not have is empty when it is used.
    environment = ImmutableSandboxedEnvironment(
        undefined=ChainableUndefined,
        finalize=clean,
        keep_trailing_newline=True,
        autoescape=False,
        cache_size=0,
    )
    environment.globals.clear()
    environment.filters = {name: _bounded(environment.filters[name]) for name in FILTERS}
    environment.tests = {name: environment.tests[name] for name in TESTS}
    return environment


def _bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter on at most `LONGEST` characters or items, giving as much; where it fails, empty text."""
    from functools import wraps

    @wraps(function)  # Jinja2 finds its own marks (pass_environment) on the wrapped function
    def filtered(*values: Any, **options: Any) -> Any:
        try:
            found = function(*(_cut(value) for value in values), **options)
            return _cut(list(found) if hasattr(found, "__next__") else found)
        except Exception:  # noqa: BLE001, RUF100 - as above: the value came from a message
            return ""

    return filtered


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:LONGEST]
    return Listed(value[:LONGEST]) if isinstance(value, tuple | list) else value
