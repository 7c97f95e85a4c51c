"""Uploads as they come in over a connection: whole, or nothing stays of them."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from http import HTTPStatus

import anyio
import anyio.to_thread
from fastapi import Request
from starlette.requests import ClientDisconnect

from sightline.media import MediaStore
from sightline.media_room import check_room
from sightline.settings import Settings
from sightline_api.http.problems import ApiError
from sightline_api.ingest.upload_receiver import Upload, UploadReceiver

SILENCE_S = 60.0
"""A client that sends nothing for so long is taken for gone."""


@asynccontextmanager
async def received_upload(
    request: Request, media: MediaStore, collection: str, settings: Settings, silence_s: float = SILENCE_S
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
        await _receive(request, receiver, silence_s)
        yield await anyio.to_thread.run_sync(receiver.finish)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(receiver.discard)


async def _receive(request: Request, receiver: UploadReceiver, silence_s: float) -> None:
    try:
        async with aclosing(request.stream()) as body:
            while True:
                with anyio.fail_after(silence_s):
                    data = await anext(body, b"")
                if not data:
                    return
                await anyio.to_thread.run_sync(receiver.feed, data)
    except ClientDisconnect as error:
        detail = "The upload broke off. Nothing of it was kept; send it again."
        raise ApiError(HTTPStatus.BAD_REQUEST, "upload_broke_off", detail) from error
    except TimeoutError as error:
        detail = f"Nothing came for {silence_s:.0f} s. Nothing of the upload was kept; send it again."
        raise ApiError(HTTPStatus.REQUEST_TIMEOUT, "upload_stalled", detail) from error
