"""What becomes of claimed messages: planned once, their effects done one by one, and reported."""

from postroom.work.job import Seat, Verdict, delay, describe, record, reply_in
from postroom.work.worker import LEASE, Worker

__all__ = ["LEASE", "Seat", "Verdict", "Worker", "delay", "describe", "record", "reply_in"]
