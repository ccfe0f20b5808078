"""Names of folders."""

import pytest

from postroom.sources.imap.names import Naming, folded


@pytest.mark.parametrize(
    ("naming", "name", "written"),
    [
        (Naming(), "Entwürfe", '"Entw&APw-rfe"'),
        (Naming(), 'a "b" \\ &', '"a \\"b\\" \\\\ &-"'),
        (Naming(), "inbox", '"INBOX"'),
        (Naming(utf8=True), "Entwürfe & co", '"Entwürfe & co"'),
        (Naming(prefix="INBOX.", delimiter="."), "Archive/2024", '"INBOX.Archive.2024"'),
        (Naming(prefix="INBOX.", delimiter="."), "INBOX/Archive", '"INBOX.Archive"'),
        (Naming(prefix="INBOX.", delimiter="."), "Inbox", '"INBOX"'),
        (Naming(prefix="~/Mail/"), "~/Mail/a", '"~/Mail/a"'),
    ],
)
def test_a_name_is_written_as_the_server_wants_it(naming: Naming, name: str, written: str) -> None:
    assert naming.written(name) == written


@pytest.mark.parametrize("name", ["INBOX", "Archive/2024", "Entwürfe", "a & b"])
@pytest.mark.parametrize("naming", [Naming(), Naming(utf8=True), Naming(prefix="Mail/"), Naming(delimiter=".")])
def test_a_name_comes_back_as_it_was_given(naming: Naming, name: str) -> None:
    assert naming.read(naming.encoded(naming.placed(name)).encode()) == name


def test_only_inbox_is_the_same_in_any_case() -> None:
    assert Naming().same("inbox", "INBOX")
    assert Naming().same("Inbox/a", "INBOX/a")
    assert not Naming().same("archive", "Archive")
    assert folded("Inbox") == "INBOX"


def test_a_name_below_the_namespace_is_the_same_with_and_without_its_prefix() -> None:
    assert Naming(prefix="INBOX.", delimiter=".").same("Archive", "INBOX/Archive")
