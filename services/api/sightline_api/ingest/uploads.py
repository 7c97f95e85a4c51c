"""Uploads as they come in over a connection: whole, or nothing stays of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from sightline.disk_room import check_room
from sightline.media import MediaStore
from sightline.settings import Settings
from sightline.tracing import NO_TRACES, Tracer
from sightline_api.http.pace import Pace, Stopwatch
from sightline_api.http.problems import ApiError
from sightline_api.ingest.upload_receiver import Upload, UploadReceiver

SILENCE_S = 60.0
"""A client that sends nothing for so long is taken for gone."""
UPLOAD_PACE = Pace(grace_s=60.0, bytes_per_s=4 << 10)


@asynccontextmanager
async def received_upload(
    request: Request,
    media: MediaStore,
    collection: str,
    settings: Settings,
    tracer: Tracer = NO_TRACES,
    silence_s: float = SILENCE_S,
    pace: Pace = UPLOAD_PACE,
) -> AsyncIterator[Upload]:
    """The upload in the body of a request; on leaving, what was not kept of it is removed.

    Raises StorageFull before anything is read if the body announces more than there is room for, and
    then as UploadReceiver does; ApiError too for a client that goes away.
    """
    announced = request.headers.get("Content-Length", "")
    coming = int(announced) if announced.isdigit() else 0
    await anyio.to_thread.run_sync(check_room, media, settings.min_free_bytes, coming)
    receiver = UploadReceiver(media, collection, settings, request.headers.get("Content-Type", ""))
    try:
        with tracer.span("store upload") as span:
            await receive_body(request, receiver.feed, silence_s, pace)
            upload = await anyio.to_thread.run_sync(receiver.finish)
            span.note({"files": len(upload.files)})
        yield upload
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(receiver.discard)


async def receive_body(
    request: Request, feed: Callable[[bytes], None], silence_s: float = SILENCE_S, pace: Pace = UPLOAD_PACE
) -> None:
    """Have `feed` take a body piece by piece, in a thread; raises ApiError for a client that goes away."""
    stopwatch, received = Stopwatch(pace), 0
    try:
        async with aclosing(request.stream()) as body:
            while True:
                with anyio.fail_after(min(silence_s, stopwatch.seconds_left(received))):
                    data = await anext(body, b"")
                if not data:
                    return
                received += len(data)
                await anyio.to_thread.run_sync(feed, data)
    except ClientDisconnect as error:
        detail = "The upload broke off. Nothing of it was kept; send it again."
        raise ApiError(HTTPStatus.BAD_REQUEST, "upload_broke_off", detail) from error
    except TimeoutError as error:
        detail = (
            f"The upload stalled: {received:,} bytes have come, the last of them too slowly. "
            f"Nothing of it was kept; send it again."
        )
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "upload_stalled", detail) from error
