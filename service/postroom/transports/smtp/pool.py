"""Sessions with one server, used again by whichever thread comes next; never more at once than the server may have."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from postroom.errors import Temporary
from postroom.transports.smtp.session import Session
from postroom.transports.smtp.standing import Standing
from postroom.transports.smtp.trouble import Trouble

IDLE: Final = 30.0  # seconds after which a session that nobody uses is ended
PATIENCE: Final = 5.0  # seconds to wait for a free session
OPENING: Final = 0.25  # seconds that others wait while the first session comes up: there is other mail, too
STALLED: Final = 30.0  # and one that came up, and does not answer
MOST_USES: Final = 1000  # transactions of one session
LATER: Final = timedelta(seconds=15)


class _Slow(Temporary):
    """A session does not come up at once, and is left to itself."""


class Pool:
    """Safe to share between threads. `patience`: seconds that somebody waits for a session to come up, before it is
    left to come up for those who try later; None: as long as it takes."""

    def __init__(self, opening: Callable[[], Session], connections: int, patience: float | None = None) -> None:
        self._open = opening
        self._patience = patience
        self.limit = connections
        self._standing = Standing()
        self._changed = threading.Condition()
        self._idle: list[tuple[Session, float]] = []  # with the time since when; the last used at the end
        self._seats: dict[int, _Seat] = {}  # sessions in use
        self._timer: threading.Timer | None = None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for one transaction. Raises Temporary where the server is away or busy.

        Trouble in the body ends the session, and where it was new the server is left alone.
        """
        seat = self._seat()
        try:
            if seat.session is None:
                seat.session = self._opened(seat)
                with self._changed:
                    self._standing.worked()
                    self._changed.notify_all()
            fresh = not seat.session.used
            yield seat.session
        except _Slow:
            raise
        except Trouble as error:
            # One that was used before may only have been ended by the server for its age.
            self._free(seat, again=False, error=error if seat.session is None or fresh else None)
            raise
        except BaseException:
            self._free(seat, again=False)
            raise
        self._free(seat, again=seat.session.used < MOST_USES)

    def prepare(self) -> bool:
        """Whether a session is up, or nobody would wait for one; else one begins to come up aside."""
        with self._changed:
            if self._patience is None or self._idle or self._standing.left_alone:
                return True
            if not self._seats:
                seat = self._seated(None)
                seat.left = True
                self._call(seat)
            return any(seat.session is not None for seat in self._seats.values())

    def leave_alone(self, error: Exception) -> None:
        """The server said that it does not want to hear from us for now."""
        with self._changed:
            self._standing.failed(error)

    @property
    def is_unused(self) -> bool:
        with self._changed:
            return not self._seats and not self._idle

    def close(self) -> None:
        """End the sessions that nobody uses."""
        with self._changed:
            ended, self._idle = self._idle, []
        for session, _ in ended:
            session.quit()

    def _seat(self) -> "_Seat":
        end = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                self._standing.check()
                while self._idle:
                    session, _ = self._idle.pop()
                    if session.wire.is_quiet:
                        return self._seated(session)
                    session.wire.close()
                if seat := next((seat for seat in self._seats.values() if seat.left), None):
                    seat.left = False  # it is waited for again
                    return seat
                if len(self._seats) < (self.limit if self._standing.proven else 1):
                    return self._seated(None)
                now = time.monotonic()
                if now >= end or any(seat.hangs(now) for seat in self._seats.values()):
                    raise Temporary("the server is busy", after=LATER)
                self._changed.wait(min(end - now, 0.5))

    def _opened(self, seat: "_Seat") -> Session:
        if self._patience is None:
            return self._open()
        with self._changed:
            if not seat.called:
                self._call(seat)
            left = max(seat.begun + self._patience - time.monotonic(), 0)
            self._changed.wait_for(lambda: seat.session or seat.error, left)
            if seat.error is not None:
                raise seat.error
            if seat.session is None:
                seat.left = True
                raise _Slow("the server is slow to answer", after=LATER)
            return seat.session

    def _call(self, seat: "_Seat") -> None:
        seat.called = True
        threading.Thread(target=self._open_aside, args=(seat,), name="smtp", daemon=True).start()

    def _open_aside(self, seat: "_Seat") -> None:
        session: Session | None = None
        error: Exception | None = None
        try:
            session = self._open()
        except Exception as failed:  # told to whoever waits, or to those who come later
            error = failed
        with self._changed:
            seat.session, seat.error = session, error
            if session is not None:
                self._standing.worked()
            if seat.left:
                del self._seats[id(seat)]
                if error is not None:
                    self._standing.failed(error)
                if session is not None:
                    self._idle.append((session, time.monotonic()))
                    self._watch()
            self._changed.notify_all()

    def _seated(self, session: Session | None) -> "_Seat":
        seat = _Seat(session)
        self._seats[id(seat)] = seat
        return seat

    def _free(self, seat: "_Seat", *, again: bool, error: Trouble | None = None) -> None:
        session = seat.session
        with self._changed:
            del self._seats[id(seat)]
            if error is not None:
                self._standing.failed(error)
            if again and session is not None:
                self._idle.append((session, time.monotonic()))
                self._watch()
            self._changed.notify()
        if session is not None and not again:
            session.quit()

    def _watch(self) -> None:
        """End idle sessions in time; the lock is held."""
        if self._timer is None and self._idle:
            self._timer = threading.Timer(IDLE / 2, self._sweep)
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self) -> None:
        now = time.monotonic()
        with self._changed:
            ended = [session for session, since in self._idle if now - since > IDLE]
            self._idle = [one for one in self._idle if now - one[1] <= IDLE]
            self._timer = None
            self._watch()
        for session in ended:
            session.quit()


class _Seat:
    """Somebody's use of a session; None while it is being opened."""

    def __init__(self, session: Session | None) -> None:
        self.session = session
        self.error: Exception | None = None  # why it did not come up
        self.called = False  # it is being opened by a thread of its own
        self.left = False  # nobody waits for it
        self.begun = time.monotonic()

    def hangs(self, now: float) -> bool:
        if self.session is None:
            return now - self.begun > OPENING
        since = self.session.wire.since
        return since is not None and now - since > STALLED
