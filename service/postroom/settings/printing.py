"""Programs of the operator's that print a secret: bounded in time and output, and never waited for in vain."""

import errno
import os
import selectors
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Final

GLANCE: Final = 0.1  # seconds


def printed(command: Sequence[str], most: int, seconds: float) -> tuple[bytes, int]:
    """What it printed, and its status. Raises OSError where it cannot be started, takes too long or prints too much; it
    was killed then, with what it had started."""
    end = monotonic() + seconds
    process = subprocess.Popen(  # noqa: S603 - the operator's own command, no shell
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        output = _output(process, most, end)
        return output, process.wait(max(GLANCE, end - monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    finally:
        assert process.stdout is not None
        process.stdout.close()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _output(process: subprocess.Popen[bytes], most: int, end: float) -> bytes:
    """Up to its end. What it leaves running, such as an agent, may hold the pipe open."""
    assert process.stdout is not None
    found = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while monotonic() < end:
            ended = process.poll() is not None
            if not selector.select(0 if ended else GLANCE):
                if ended:
                    return found
                continue
            piece = os.read(process.stdout.fileno(), most)
            found += piece
            if not piece:
                return found
            if len(found) > most:
                raise OSError(errno.EFBIG, "it printed too much")
    raise TimeoutError
