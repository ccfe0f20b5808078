"""`python -m postroom.reference --check DIR` compares the files below DIR, `--write DIR` makes them."""

import sys
from pathlib import Path

from postroom.reference import files


def main(arguments: list[str]) -> int:
    """The exit status: 1 where a file is stale."""
    mode, root = arguments[0], Path(arguments[1])
    stale = [(path, text) for path, text in files(root).items() if not _says(path, text)]
    for path, text in stale:
        if mode == "--write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            print(f"{path} is stale: run `make generated`", file=sys.stderr)
    return 1 if stale and mode != "--write" else 0


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
