"""Rspamd, spamd and clamd as Debian ships them: GTUBE, EICAR and ordinary mail; and while they are stopped."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.tools import Scanner, ScannerName, Scanners
from postroom.pipeline.view import Virus
from servers import scanners
from servers.scanners import Running

GTUBE = testing.message(text="XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\n")
Away = Callable[[ScannerName, str], None]
EICAR = testing.message(text=r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*\n")


def started(binary: str, package: str, run: Callable[[], AbstractContextManager[Running]]) -> Iterator[Running]:
    if not Path(binary).exists():
        pytest.skip(f"a server is missing: apt-get install {package}")
    with run() as server:
        yield server


@pytest.fixture(scope="module")
def rspamd() -> Iterator[Running]:
    yield from started(scanners.RSPAMD, "rspamd", scanners.rspamd)


@pytest.fixture(scope="module")
def spamd() -> Iterator[Running]:
    yield from started(scanners.SPAMD, "spamd", scanners.spamd)


@pytest.fixture(scope="module")
def clamd() -> Iterator[Running]:
    yield from started(scanners.CLAMD, "clamav-daemon", scanners.clamd)


def asked(
    name: str,
    server: Running,
    raw: bytes,
    seconds: float = 60,
    away: Away = lambda scanner, reason: None,
    **options: Any,
) -> list[Outcome]:
    scanner = Scanner(url=server.url, timeout=timedelta(seconds=seconds))
    tools = testing.tools(scanners=Scanners(**{name: scanner}), away=away)
    step = steps.step("virus" if name == "clamd" else "spam").model_validate({"scanner": name, **options})
    return [*step.plan(testing.view(raw), tools)]


@pytest.mark.parametrize(("name", "symbol"), [("rspamd", "GTUBE"), ("spamd", "GTUBE")])
def test_gtube_is_spam_and_ordinary_mail_is_not(request: pytest.FixtureRequest, name: str, symbol: str) -> None:
    server = request.getfixturevalue(name)
    spam, ham = (fact(asked(name, server, raw)).spam for raw in (GTUBE, testing.message()))
    assert spam is not None
    assert ham is not None
    assert (spam.verdict, ham.verdict) == ("spam", "ham")
    assert symbol in spam.symbols
    assert spam.score is not None
    assert ham.score is not None
    assert spam.score > 10 > 5 > ham.score


def test_clamd_finds_eicar_and_lets_ordinary_mail_be(clamd: Running) -> None:
    assert fact(asked("clamd", clamd, EICAR)).virus == Virus(found=True, names=("Eicar-Test-Signature.UNOFFICIAL",))
    assert fact(asked("clamd", clamd, testing.message(text="x" * 70 * 10_000))).virus == Virus(found=False)


@pytest.mark.parametrize("name", ["rspamd", "spamd", "clamd"])
def test_a_server_that_was_stopped_makes_the_message_wait_or_pass(request: pytest.FixtureRequest, name: str) -> None:
    server = request.getfixturevalue(name)
    told: list[tuple[str, str]] = []

    def tell(scanner: ScannerName, reason: str) -> None:
        told.append((scanner, reason))

    processes = [server.process.pid, *children(server.process.pid)]
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        with pytest.raises(Temporary, match=f"{name} does not answer in time"):
            asked(name, server, GTUBE, seconds=0.5, away=tell)
        outcomes = asked(name, server, GTUBE, seconds=0.5, away=tell, **{"on-error": "pass"})
        assert [type(one) for one in outcomes] == [Note]
        assert told == [(name, f"{name} does not answer in time")] * 2
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)
    answered = fact(asked(name, server, GTUBE, away=tell))
    assert (answered.virus if name == "clamd" else answered.spam) is not None
    assert len(told) == 2


def children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def fact(outcomes: list[Outcome]) -> Any:
    return next(one.facts for one in outcomes if isinstance(one, Fact))
