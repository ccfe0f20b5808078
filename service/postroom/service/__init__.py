"""The running process: watchers, worker and sweeper, from start to the end of draining."""

from postroom.service.config import Config, read, watched
from postroom.service.service import Service
from postroom.service.workshop import PATIENCE

__all__ = ["PATIENCE", "Config", "Service", "read", "watched"]
