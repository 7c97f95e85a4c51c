"""Where a job comes from: what ties the log and the trace of its batches to the request that made it."""

from pydantic import BaseModel, ConfigDict


class Origin(BaseModel):
    """Of the request that made a job: its id, and the `traceparent` (W3C Trace Context) of its span.

    For logs and traces alone. Every message of a job carries its job's, so that two messages which ask
    for the same are equal, whoever sent them.
    """

    model_config = ConfigDict(frozen=True)

    request_id: str | None = None
    traceparent: str | None = None


NO_ORIGIN = Origin()
"""Of a job that no request made, or one from before origins were recorded."""
