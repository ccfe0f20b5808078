"""The step `authenticate`: who sent a message, as far as that can be known."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from postroom.authentication import results
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Auth, Facts, View
from postroom.steps.trust import trusted, written


class AuthenticateStep(Step):
    """Finds out who sent a message; the field `auth` asks for `dkim`, `spf`, `dmarc`, `arc`, each a word of RFC 8601:
    `pass` `fail` `softfail` `neutral` `none` `policy` `temperror` `permerror`; `policy` is what the From field's domain
    asks for where `dmarc` is `fail`.

    `headers` believes what another host found and wrote into Authentication-Results (RFC 8601), where it names itself
    as the settings do (`trust: authserv-id`) and only above the trust line (`trust: hosts`). Where there is nothing to
    believe the answer is unknown.

        - authenticate: headers
    """

    word: ClassVar[str] = "authenticate"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "from"

    from_: Literal["headers"] = Field(default="headers", alias="from", description="Whom to believe.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        given = tools.given.auth if tools.given is not None else None
        auth = given or upstream(view, tools)
        if auth is None:
            yield Note("auth is unknown: no field of a trusted authserv-id above the trust line tells")
            return
        yield Fact(Facts(auth=auth))

    def gives(self) -> frozenset[str]:
        return frozenset({"auth"})


def upstream(view: View, tools: Tools) -> Auth | None:
    """What trusted fields say."""
    believed = [
        written(header, results.LONGEST)
        for header in trusted(view.message.headers, tools.trust.hosts)
        if header.name.lower() == "authentication-results"
    ]
    return results.read(believed, tools.trust.authserv_id)
