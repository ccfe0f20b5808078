"""The running process: watchers, worker and sweeper, from start to the end of draining."""

from postroom.service.config import Config, read, watched
from postroom.service.service import PATIENCE, Service

__all__ = ["PATIENCE", "Config", "Service", "read", "watched"]
