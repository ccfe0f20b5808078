"""Messages to learn from, and a filter that learned them."""

import random
from pathlib import Path

from postroom import testing
from postroom.bayes.filter import LEAST
from postroom.bayes.learner import Learner
from postroom.message import Message, parse

OFFERS = ["cheap", "pills", "discount", "pharmacy", "offer", "casino", "winner", "viagra", "mortgage", "guarantee"]
WORK = ["meeting", "agenda", "patch", "review", "compile", "release", "kernel", "schedule", "draft", "minutes"]


def written(words: list[str], number: int, **fields: object) -> Message:
    chosen = random.Random(number).choices(words, k=30)
    return parse(
        testing.message(
            subject=" ".join(chosen[:3]), text=" ".join(chosen), message_id=f"<{number}@example.org>", **fields
        )
    )  # type: ignore[arg-type]


def offer(number: int, **fields: object) -> Message:
    return written(OFFERS, number, from_=f"seller{number}@shop.example", **fields)


def letter(number: int, **fields: object) -> Message:
    return written(WORK, number, **fields)


def taught(directory: Path, messages: int = 2 * LEAST) -> Path:
    with Learner(directory) as learner:
        for number in range(messages):
            learner.learn(offer(number), spam=True)
            learner.learn(letter(number), spam=False)
    return directory
