"""How the folders of a mailbox share its connections."""

import pytest

from postroom.sources.imap.source import shares


@pytest.mark.parametrize(
    ("folders", "connections", "expected"),
    [
        (["a"], 4, [["a"]]),
        (["a", "b"], 4, [["a"], ["b"]]),
        (["a", "b", "c", "d"], 2, [["a"], ["b", "c", "d"]]),
        (["a", "b"], 1, [["a", "b"]]),
    ],
)
def test_each_folder_has_its_own_while_there_are_enough(
    folders: list[str], connections: int, expected: list[list[str]]
) -> None:
    assert shares(folders, connections) == expected
