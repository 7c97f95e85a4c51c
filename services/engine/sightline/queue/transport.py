"""kombu's Redis transport: kept from ending the worker when Redis goes away, and with leases."""

import time

from kombu.transport.redis import Channel, QoS, SentinelChannel, Transport


class LeasedQoS(QoS):
    """Messages that were delivered and not acknowledged; each holds a lease of the visibility timeout."""

    def renew_leases(self) -> None:
        """Have the visibility timeout of all messages in hand begin anew.

        Without it a batch slower than the timeout would be delivered a second time while it runs.
        """
        now = time.time()
        in_hand = dict.fromkeys(tuple(self._delivered), now)
        if in_hand:
            with self.channel.conn_or_acquire() as client:
                # XX: those acknowledged meanwhile stay gone.
                client.zadd(self.unacked_index_key, in_hand, xx=True)


class _Channel(Channel):
    QoS = LeasedQoS

    @property
    def do_restore(self) -> bool:  # type: ignore[override]
        """Whether closing may put back messages that were not acknowledged.

        A channel that is closed after its connection has no way to Redis: to try raises AttributeError,
        which Celery takes for a defect and ends on. Such messages come back after the visibility timeout.
        """
        return self.connection is not None and self.connection.client is not None


class _ChannelToMaster(_Channel, SentinelChannel):
    """The same, to the server that the sentinels name when it connects."""


class RedisTransport(Transport):
    """The transport that `redis://` and its kin mean to our broker."""

    Channel = _Channel


class SentinelTransport(Transport):
    """The transport that `sentinel://` means to our broker."""

    default_port = 26379
    Channel = _ChannelToMaster
