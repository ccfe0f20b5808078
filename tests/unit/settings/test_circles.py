"""Mail that would be filed into the Maildir that it came from is refused when the files are read."""

from typing import TYPE_CHECKING

import pytest

from postroom.errors import Misconfigured
from postroom.settings import load_pipelines

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Site

TOLD = "files mail of the mailbox `inbox` into a Maildir from where it comes back: use `move` or `keep`"


def files(to: str) -> str:
    return f'rules: [{{name: a, when: {{subject: "*x*"}}, do: {{file: "{to}"}}}}]'


def refused(site: "Site") -> list[str]:
    try:
        load_pipelines(site.settings())
    except Misconfigured as error:
        return [one.problem.text for one in error.problems]
    return []


def configured(site: "Site", **directories: str) -> None:
    boxes = "".join(f'  {name}: {{url: "maildir:{to}", pipeline: {name}}}\n' for name, to in directories.items())
    site.write(f"state: state\npipelines: pipelines\nmailboxes:\n{boxes}")


@pytest.mark.parametrize(
    ("watched", "to", "wrong"),
    [
        pytest.param("state/files/in", "in", True, id="below files"),
        pytest.param("box", "../../box", True, id="another way to write it"),
        pytest.param("box", "../../box/", True, id="a slash more"),
        pytest.param("box", "../../box/.Done", False, id="a folder of it, which nobody watches"),
        pytest.param("box", "../../other", False, id="elsewhere"),
        pytest.param("box", "../../box/{{ from.domain }}", False, id="nobody knows before"),
    ],
)
def test_mail_is_not_filed_into_the_maildir_that_it_came_from(site: "Site", watched: str, to: str, wrong: bool) -> None:
    configured(site, inbox=watched)
    site.pipeline("inbox", files(to))
    assert refused(site) == ([TOLD] if wrong else [])


def test_a_circle_through_two_mailboxes_or_a_pipeline_that_is_run_is_found(site: "Site") -> None:
    configured(site, inbox="box", second="box2", third="box3")
    site.pipeline("inbox", "rules: [{name: a, do: {run: filing}}]")
    site.pipeline("filing", files("../../box2"))
    site.pipeline("third", files("../../box"))
    site.pipeline("second", "rules: [{name: a, do: keep}]")
    assert refused(site) == []
    site.pipeline("second", files("../../box"))
    assert refused(site) == [TOLD, TOLD.replace("inbox", "second")]
