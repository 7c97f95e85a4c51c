"""kombu's Redis transport, kept from ending the worker when Redis goes away."""

from kombu.transport.redis import Channel, Transport


class _Channel(Channel):
    @property
    def do_restore(self) -> bool:  # type: ignore[override]
        """Whether closing may put back messages that were not acknowledged.

        A channel that is closed after its connection has no way to Redis: to try raises AttributeError,
        which Celery takes for a defect and ends on. Such messages come back after the visibility timeout.
        """
        return self.connection is not None and self.connection.client is not None


class RedisTransport(Transport):
    """The transport that `redis://` and its kin mean to our broker."""

    Channel = _Channel
