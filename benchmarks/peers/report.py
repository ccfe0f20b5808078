"""Measurements by case, and the table of their medians."""

import statistics
import sys
from collections.abc import Mapping, Sequence


class Report:
    """`add` as cases are measured, round by round; then `table`."""

    def __init__(self) -> None:
        self._cases: dict[str, list[dict[str, float]]] = {}

    def add(self, case: str, **values: float) -> None:
        self._cases.setdefault(case, []).append(values)
        shown = " ".join(f"{key}={value:.4g}" for key, value in values.items())
        print(f"# {case}: {shown}", file=sys.stderr, flush=True)

    def median(self, case: str, key: str) -> float:
        return statistics.median(row[key] for row in self._cases[case] if key in row)

    def table(
        self, columns: Mapping[str, tuple[str, int]], ratio: tuple[str, str, Mapping[str, str]] | None = None
    ) -> None:
        """`columns`: key to heading and digits. `ratio`: heading, key, and for each case the one it is measured against."""
        headings = [name for name, _ in columns.values()] + ([ratio[0]] if ratio else [])
        print("| case | " + " | ".join(headings) + " |\n|" + "---|" * (len(headings) + 1))
        for case, rows in self._cases.items():
            cells = [spread([row[one] for row in rows if one in row], digits) for one, (_, digits) in columns.items()]
            if ratio:
                _, key, bases = ratio
                base = bases.get(case)
                known = base in self._cases
                cells.append(f"{self.median(case, key) / self.median(base, key):.2f}" if known else "–")
            print(f"| {case} | " + " | ".join(cells) + " |")


def spread(values: Sequence[float], digits: int) -> str:
    """median [least..most]"""
    if not values:
        return "–"
    return f"{statistics.median(values):.{digits}f} [{min(values):.{digits}f}..{max(values):.{digits}f}]"


def percentile(values: Sequence[float], fraction: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]
