"""Numbers for Prometheus: what happened (`Metrics`) and how things stand (`Questions`)."""

from postroom.metrics.metrics import Metrics, Names, Outcome, Result, Ring
from postroom.metrics.standing import Questions

__all__ = ["Metrics", "Names", "Outcome", "Questions", "Result", "Ring"]
