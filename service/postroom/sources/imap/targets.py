"""Folders that messages are put into: found by name or use, made when missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from postroom.errors import Permanent
from postroom.sources.allowance import Allowance
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.names import customary, folded, is_special
from postroom.sources.imap.responses import Reply

_NOT_THERE = {"\\noselect", "\\nonexistent"}


@dataclass(eq=False, kw_only=True)
class Targets:
    """Of one connection; what was found is remembered as long as that lasts. `creates`: the mailbox's `create`."""

    imap: Imap
    creates: bool
    allowance: Allowance
    _found: dict[str, str] = field(default_factory=dict, init=False)
    _listed: Mapping[str, frozenset[str]] | None = field(default=None, init=False)

    async def find(self, name: str, *, create: bool) -> str:
        """The folder's own name, levels parted by `/`. It is there when this returns.

        Raises Permanent where it is missing and may not be made, Temporary, Lost.
        """
        wanted = folded(name)
        if wanted not in self._found:
            self._found[wanted] = await self._special(wanted, create) if is_special(name) else wanted
            if not await self._is_there(self._found[wanted]):
                made = self._found.pop(wanted)
                await self._make(made, create=create and self.creates)
                self._found[wanted] = made
        return self._found[wanted]

    def forget(self, name: str) -> None:
        """A command failed on it: look again next time."""
        self._found.pop(folded(name), None)
        self._listed = None

    async def _special(self, name: str, create: bool) -> str:
        """By SPECIAL-USE (RFC 6154), else by the names that are customary."""
        if self._listed is None:
            self._listed = _read(await self.imap.call("LIST", '""', '"*"'), self.imap)
        for found, attributes in self._listed.items():
            if name.lower() in attributes:
                return found
        for usual in customary(name):
            for found in self._listed:
                if found.lower() == usual.lower():
                    return found
        return customary(name)[0]

    async def _is_there(self, name: str) -> bool:
        # `*` and `%` in a name are wildcards to LIST: what else they match is not meant.
        listed = _read(await self.imap.call("LIST", '""', self.imap.naming.written(name)), self.imap)
        return any(
            self.imap.naming.same(found, name) and not attributes & _NOT_THERE for found, attributes in listed.items()
        )

    async def _make(self, name: str, *, create: bool) -> None:
        if not create:
            raise Permanent(f"there is no folder `{name}`: make it, or set `create: true`")
        self.allowance.spend()
        reply = await self.imap.call("CREATE", self.imap.naming.written(name))
        if not reply.is_ok and not await self._is_there(name):
            reply.require()
        await self.imap.call("SUBSCRIBE", self.imap.naming.written(name))


def _read(reply: Reply, imap: Imap) -> Mapping[str, frozenset[str]]:
    """Names and their attributes, lower case."""
    found = {}
    for data in reply.require().named("LIST"):
        match data.values():
            case [list(attributes), _, bytes(name), *_]:
                told = frozenset(one.decode("ascii", "replace").lower() for one in attributes if isinstance(one, bytes))
                found[imap.naming.read(name)] = told
            case _:
                pass
    return found
