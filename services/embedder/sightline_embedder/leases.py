"""Leases: what an embedder works on stays its own for as long as its consumer turns."""

from typing import Any

from celery import Celery, bootsteps


def keep_leases(broker: Celery, visibility_timeout_s: float) -> None:
    """Have the worker of this application renew its leases; call before it starts.

    An embedder that dies or gets stuck stops renewing, and its messages are delivered to another after
    the visibility timeout.
    """

    class Renewal(bootsteps.StartStopStep):  # type: ignore[misc]
        """Started again with the consumer after each loss of the connection."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            qos = parent.task_consumer.channel.qos
            parent.timer.call_repeatedly(visibility_timeout_s / 3, qos.renew_leases)

    broker.steps["consumer"].add(Renewal)
