"""The pages of docs/ that are made from the code: what each key, option, field and command is for stands there once."""

from pathlib import Path

from postroom.reference import commands, conditions, defects, metrics, pipelines, settings, shapes, steps, templates
from postroom.settings.schema import schemas

MARK = "<!-- From here on made by `make generated` from the code. -->\n"
PAGES = {
    "settings.md": settings.page,
    "pipelines.md": pipelines.page,
    "steps.md": steps.page,
    "templates.md": templates.page,
    "conditions.md": conditions.page,
    "commands.md": commands.page,
    "json.md": shapes.page,
    "defects.md": defects.page,
    "metrics.md": metrics.page,
}


def files(root: Path) -> dict[Path, str]:
    """The text of every file that is made from the code. What stands in a page above the mark is a person's."""
    made = {root / "config" / name: text for name, text in schemas().items()}
    for name, page in PAGES.items():
        path = root / "docs" / name
        made[path] = f"{_head(path)}{MARK}\n{page().strip()}\n"
    return made


def _head(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition(MARK)[0] if path.is_file() else ""
