"""The one Celery configuration, for those who send and for those who work."""

import time
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

from sightline.errors import Unavailable
from sightline.queue.addresses import Sentinels, parse_redis_url, sentinel_urls
from sightline.queue.connection import sentinel_options
from sightline.queue.messages import IndexBatch, Message, PlanJob

SENT_AT = "sent_at"
"""The header of a message that says when it was sent: Unix time, s."""
UNACKNOWLEDGED = "unacked"
"""Where kombu keeps the messages of all queues that were delivered and not acknowledged."""
_TRANSPORTS = dict.fromkeys(("redis", "rediss"), "sightline.queue.transport:RedisTransport") | {
    "sentinel": "sightline.queue.transport:SentinelTransport"
}
# Without these two, kombu returns unacknowledged messages only at every hundredth second.
_RESTORE = {"unacked_restore_interval": 1, "unacked_restore_throttle": 1}
# A stopped Redis would otherwise hold a sender for over 40 s.
_SOCKET = {
    "socket_timeout": 3.0,
    "socket_connect_timeout": 2.0,
    "socket_keepalive": True,
    "health_check_interval": 5,
}


def create_broker(redis_url: str, visibility_timeout_s: int) -> Celery:
    """A Celery application on this Redis; raises SettingsError for what is no address of one.

    A message that nobody acknowledged within `visibility_timeout_s` is delivered again, so that should
    be above the slowest batch. All who use one Redis must agree on it.
    """
    TRANSPORT_ALIASES.update(_TRANSPORTS)
    address = parse_redis_url(redis_url)
    by_sentinels: dict[str, Any] = {}
    if isinstance(address, Sentinels):
        url = sentinel_urls(address)
        by_sentinels = {"master_name": address.service, "sentinel_kwargs": sentinel_options(address)}
    else:
        url = _broker_url(address.url)
    app = Celery("sightline", set_as_current=False, broker=url)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_routes={message.task: {"queue": message.queue.value} for message in (PlanJob, IndexBatch)},
        worker_prefetch_multiplier=1,
        worker_redirect_stdouts=False,
        worker_hijack_root_logger=False,
        # Whoever reaches Redis could stop embedders by it; nobody of ours uses it.
        worker_enable_remote_control=False,
        worker_soft_shutdown_timeout=20.0,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Left to itself, kombu would check no certificate.
        broker_use_ssl=dict(address.tls_options) if address.tls else False,
        broker_transport_options={
            "visibility_timeout": visibility_timeout_s,
            **_RESTORE,
            **_SOCKET,
            **by_sentinels,
        },
    )
    return app


def send(app: Celery, message: Message) -> None:
    """Put a message on its queue; raises Unavailable when Redis does not take it."""
    body: dict[str, Any] = message.model_dump(mode="json", exclude_defaults=True)
    try:
        app.send_task(
            message.task,
            kwargs=body,
            queue=message.queue.value,
            headers={SENT_AT: time.time()},
            ignore_result=True,
            retry=False,
        )
    except (OperationalError, OSError) as error:
        raise Unavailable("Redis (the queue)", str(error)) from error


def _broker_url(redis_url: str) -> str:
    """Celery writes a socket as redis+socket://; redis-py as unix://. Options of TLS go beside the URL."""
    if redis_url.startswith("unix://"):
        return "redis+socket://" + redis_url.removeprefix("unix://")
    return redis_url.partition("?")[0] if redis_url.startswith("rediss://") else redis_url
