"""How many requests a caller may send, and how many pictures it may bring in.

Redis counts, for all gateways together, in sliding windows: what the last window counted weighs
less the longer ago it was.
"""

import math
import time
from http import HTTPStatus

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from sightline.errors import Unavailable
from sightline.queue.connection import connect_impatiently
from sightline_api.http.callers import Caller
from sightline_api.http.problems import ApiError

_REQUESTS, _PICTURES = "requests", "pictures"
_TIMEOUT_S = 1.0
_UNCOUNTED_S = 2.0
"""While Redis does not answer it is asked no more often than this."""

_log = structlog.get_logger(__name__)


class RateLimits:
    """Counts what callers do against their limits. Blocks; safe to use from several threads."""

    def __init__(self, redis_url: str) -> None:
        """Count in this Redis; nothing is connected yet."""
        # The URL says only that it is Redis: the library knows no other form of ours.
        storage = RedisStorage(
            "redis://",
            connection_pool=connect_impatiently(redis_url, _TIMEOUT_S, retries=1).connection_pool,
            key_prefix="sightline:limits",
            wrap_exceptions=True,
        )
        self._counter = SlidingWindowCounterRateLimiter(storage)
        self._count_from = 0.0

    def count_request(self, caller: Caller) -> None:
        """Count one request; raises ApiError (429) beyond the caller's limit.

        While Redis does not answer nothing is counted: a limit is no reason to serve nobody.
        """
        if caller.rate_limit is None or time.monotonic() < self._count_from:
            return
        limit = parse(caller.rate_limit)
        try:
            if self._counter.hit(limit, _REQUESTS, caller.id):
                return
            wait_s = self._wait_s(limit, _REQUESTS, caller)
        except StorageError as error:
            self._count_from = time.monotonic() + _UNCOUNTED_S
            _log.warning("requests_not_counted", reason=str(error))
            return
        detail = f"Key '{caller.name}' may send {limit}. Try again in {wait_s} s."
        raise _too_many("rate_limited", detail, wait_s)

    def check_quota(self, caller: Caller) -> None:
        """Raise ApiError (429) for a caller who may not bring in one more picture now."""
        self._use_quota(caller, 1, take=False)

    def take_quota(self, caller: Caller, pictures: int) -> None:
        """Count pictures that are brought in; raises ApiError (429), and counts none, beyond the quota."""
        self._use_quota(caller, pictures, take=True)

    def _use_quota(self, caller: Caller, pictures: int, *, take: bool) -> None:
        if caller.ingest_quota is None or not pictures:
            return
        quota = parse(caller.ingest_quota)
        use = self._counter.hit if take else self._counter.test
        try:
            if use(quota, _PICTURES, caller.id, cost=pictures):
                return
            wait_s = self._wait_s(quota, _PICTURES, caller)
        except StorageError as error:
            raise Unavailable("Redis (the ingest quotas)", str(error)) from error
        detail = (
            f"Key '{caller.name}' may bring in {caller.ingest_quota.replace('/', ' pictures per ')}, and "
            f"this request has {pictures}. Nothing of it was kept; send it, or fewer of them, in {wait_s} s."
        )
        raise _too_many("quota_exceeded", detail, wait_s)

    def _wait_s(self, limit: RateLimitItem, what: str, caller: Caller) -> int:
        reset_at = self._counter.get_window_stats(limit, what, caller.id).reset_time
        return max(1, math.ceil(reset_at - time.time()))


def _too_many(code: str, detail: str, wait_s: int) -> ApiError:
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, code, detail, {"Retry-After": str(wait_s)})
