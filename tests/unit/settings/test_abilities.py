"""Steps that ask more of a mailbox than it can do."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

STORE = 'mailboxes:\n  a: {url: "stdin:", store: mail, pipeline: main}\n'
RELAY = 'mailboxes:\n  a: {url: "stdin:", store: none, pipeline: other}\n'
WATCHED = 'mailboxes:\n  a: {url: "maildir:inbox", pipeline: main}\n'
LISTENER = (
    'mailboxes:\n  a: {url: "lmtp://127.0.0.1:24", store: none, pipeline: other, '
    'recipients: [{to: "*", store: mail, pipeline: main}]}\n'
)
SERVER = 'mailboxes:\n  a: {url: "imaps://u@x.example", password: x, pipeline: main}\n'
RULES = "rules: [{{name: r, do: {step}}}]"
TOLD = "a folder of a Maildir++ holds no dot: `/` stands between a folder and one within it, as in `Lists/dev`"


@pytest.mark.parametrize("settings", [STORE, WATCHED, LISTENER], ids=["store", "Maildir", "listener"])
@pytest.mark.parametrize(
    "step", ["{move: Lists.dev}", "{copy: .Lists.dev/}", "{run: second}"], ids=["move", "copy", "through another"]
)
def test_a_folder_of_a_maildir_with_a_dot_is_refused(site: "Site", settings: str, step: str) -> None:
    site.write(settings).pipeline("main", RULES.format(step=step)).pipeline("other", RULES.format(step="discard"))
    if "run" in step:
        site.pipeline("second", RULES.format(step="{move: Lists.dev}"))
    [problem] = site.reviewed()
    assert problem.endswith(TOLD)


def test_folders_on_a_server_may_hold_dots(site: "Site") -> None:
    site.write(SERVER).pipeline("main", RULES.format(step="{move: Lists.dev}"))
    assert site.reviewed() == []


def test_dots_of_values_are_no_concern(site: "Site") -> None:
    site.write(STORE).pipeline("main", RULES.format(step="{move: 'Lists/{{ from.domain }}'}"))
    assert site.reviewed() == []
