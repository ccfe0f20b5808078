"""Tasks for other people's Celery apps: published once, confirmed by their broker."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from postroom.errors import Permanent, Temporary, Uncertain
from postroom.transports.bounded import within

QUEUE: Final = "celery"  # Celery's own default


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`id` is the same at a second try. `broker`: the URL, which may hold a password."""

    broker: str = field(repr=False)
    name: str
    queue: str
    id: str
    argument: Mapping[str, Any]
    timeout: timedelta


def publish(task: Task) -> None:
    """Returns when the broker has it. Raises Temporary, Permanent, and Uncertain where the answer is lost."""
    reached: list[bool] = []
    try:
        within(task.timeout.total_seconds(), lambda: _publish(task, reached))
    except (ValueError, KeyError, ImportError, AttributeError, TypeError):
        raise Permanent("the secret is no URL of a broker that Celery knows, or a package for it is missing") from None
    except Exception as error:
        told = "took too long" if isinstance(error, TimeoutError) else f"failed ({type(error).__name__})"
        if reached:
            raise Uncertain(f"the broker was reached, but publishing {told}") from error
        raise Temporary(f"the broker cannot be reached: connecting {told}") from error


def _publish(task: Task, reached: list[bool]) -> None:
    from celery import Celery

    app = Celery("postroom", broker=task.broker, backend=None, set_as_current=False, fixups=[])
    seconds = task.timeout.total_seconds()
    app.conf.update(
        broker_connection_timeout=seconds,
        broker_transport_options=_options(task.broker, seconds),
        task_serializer="json",
        task_ignore_result=True,
    )
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=seconds)
            channel = connection.default_channel  # opens it: from here on a failure may be a lost answer
            with app.amqp.Producer(channel) as producer:
                reached.append(True)
                app.send_task(
                    task.name,
                    args=[dict(task.argument)],
                    task_id=task.id,
                    queue=task.queue,
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                )
    finally:
        app.close()


def _options(broker: str, seconds: float) -> dict[str, Any]:
    if broker.partition(":")[0] in ("amqp", "amqps", "pyamqp"):
        return {"confirm_publish": True, "read_timeout": seconds, "write_timeout": seconds}
    if broker.startswith(("redis", "socket", "sentinel", "valkey")):
        return {"socket_timeout": seconds, "socket_connect_timeout": seconds, "max_retries": 1}
    return {}
