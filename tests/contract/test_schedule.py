"""When an effect that fails for now is tried again, and when it is given up: the defaults, over five days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contract.shop import Shop, make_shop
from postroom.ledger import Ledger
from postroom.settings.model import Retry
from postroom.work import Seat
from postroom.work.job import delay

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DEFAULT = [5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE, 4 * HOUR, 4 * HOUR]


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        pytest.param(Retry(), DEFAULT, id="by default"),
        pytest.param(Retry(first=MINUTE, factor=1), [MINUTE] * 8, id="always the same"),
        pytest.param(Retry(first=HOUR, factor=10, most=2 * HOUR), [HOUR] + [2 * HOUR] * 7, id="at most"),
    ],
)
def test_each_wait_is_longer_up_to_the_longest(retry: Retry, waits: list[timedelta]) -> None:
    assert [delay(retry, tries) for tries in range(8)] == waits
    assert delay(retry, 10**9) == waits[-1]  # a factor of 3 was too much for a timedelta after four days


@pytest.fixture
def shop(ledger: Ledger, tmp_path: Path) -> Shop:
    return make_shop(ledger, tmp_path)


def test_what_fails_for_five_days_is_a_dead_letter_and_the_message_is_kept(shop: Shop) -> None:
    shop.rules("{exec: [sh, -c, exit 75]}, discard")
    [number] = shop.receive()
    began = now = datetime.now(UTC)
    clerk = replace(shop.worker, tools=replace(shop.worker.tools, clock=lambda: now))
    waits: list[timedelta] = []
    while True:
        clerk.process_all(shop.claim([number]), lambda row: Seat(shop.home, lambda plan: True))
        effect = shop.show(number).effects[0]
        if effect.state == "dead":
            break
        waits.append(effect.next_try_at - now)
        now = effect.next_try_at
        shop.due(number)
    assert waits[:8] == DEFAULT
    assert set(waits[8:]) == {4 * HOUR}
    assert timedelta(days=5) < now - began < timedelta(days=5) + 5 * HOUR
    assert effect.error is not None
    assert effect.error.startswith("given up: ")
    assert shop.show(number).row.state == "dead"
    assert len(shop.mail()) == 1
