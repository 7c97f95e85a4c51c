"""When a fetch that failed is begun again."""

import random

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from sightline_embedder.fetching.failures import TransientFailure
from sightline_embedder.fetching.limits import Deadline, FetchLimits


def retrying(limits: FetchLimits, deadline: Deadline) -> Retrying:
    """Runs a function until it succeeds or fails for good; the last failure is raised.

    Only transient failures are tried again: after a wait that doubles each time, or the longer one the
    host asks for, plus jitter, so that fetches which failed together do not return together. A wait that
    would outlast the deadline is not begun.
    """

    def wait_s(state: RetryCallState) -> float:
        failure = state.outcome.exception() if state.outcome else None
        asked_s = failure.retry_after_s if isinstance(failure, TransientFailure) else 0.0
        usual_s = limits.backoff_s * 2.0 ** (state.attempt_number - 1)
        return max(usual_s, asked_s) + random.uniform(0, limits.backoff_s)

    def is_over(state: RetryCallState) -> bool:
        return state.attempt_number >= limits.attempts or state.upcoming_sleep >= deadline.remaining_s()

    return Retrying(
        retry=retry_if_exception_type(TransientFailure),
        wait=wait_s,
        stop=is_over,
        reraise=True,
    )
