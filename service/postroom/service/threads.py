"""Threads of ours live as long as the service: one that ends in an error takes it along, and a supervisor starts it
anew."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

from postroom.logs import Log

OURS: Final = frozenset({"bell", "consumer", "health", "intake", "leases"})


def attend(failed: Callable[[str], None], log: Log, stack: ExitStack) -> None:
    """Hear of every thread that ends in an error, until the stack ends; `failed` is told of ours, in that thread."""

    def ended(args: threading.ExceptHookArgs) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread is not None else ""
        # Never the error's words, which may quote a message.
        if name in OURS:
            failed(f"the thread `{name}` ended: unexpected {args.exc_type.__name__}")
        else:
            log.warning("service.failed", reason=f"unexpected {args.exc_type.__name__} in a thread of no consequence")

    stack.callback(setattr, threading, "excepthook", threading.excepthook)
    threading.excepthook = ended
