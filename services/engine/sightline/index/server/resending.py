"""Requests to a Qdrant server that failed are sent again, to each node and for a while."""

from itertools import cycle
from typing import Any

from qdrant_client.http.api_client import MiddlewareT, Send
from qdrant_client.http.exceptions import ResponseHandlingException
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_before_delay,
    wait_chain,
    wait_none,
    wait_random_exponential,
)

from sightline.index.server.nodes import Nodes

_OVERLOADED_OR_STARTING = frozenset({429, 502, 503, 504})


def resending(patience_s: float, nodes: Nodes) -> MiddlewareT:
    """A middleware of the client that sends again what failed, and in the end gives what came last.

    First to each node, without a pause, and then again and again while there is patience left.
    """

    def send(request: Any, send_once: Send) -> Any:
        turns = nodes.in_turn()
        next_turns = cycle(turns)

        def attempt() -> Any:
            node = next(next_turns)
            nodes.direct(request, node)
            try:
                answer = send_once(request)
            except ResponseHandlingException:
                nodes.failed(node)
                raise
            if answer.status_code in _OVERLOADED_OR_STARTING:
                nodes.failed(node)
            return answer

        at_once = [wait_none()] * (len(turns) - 1)
        attempts = Retrying(
            retry=retry_if_exception_type(ResponseHandlingException)
            | retry_if_result(lambda answer: answer.status_code in _OVERLOADED_OR_STARTING),
            stop=stop_before_delay(patience_s) & stop_after_attempt(len(turns)),
            wait=wait_chain(*at_once, wait_random_exponential(multiplier=0.1, max=2.0)),
            retry_error_callback=lambda last: last.outcome.result() if last.outcome else None,
        )
        return attempts(attempt)

    return send
