"""What the api and embedders pass to each other as files needs a data folder that both have."""

from http import HTTPStatus

from sightline.settings import Settings
from sightline_api.http.problems import ApiError


def require_shared_folder(settings: Settings, instead: str) -> None:
    """Raise ApiError (409 `no_shared_folder`) where media are in a bucket: then machines share no folder.

    `instead` is what the caller can do, as a sentence.
    """
    if settings.media_url is not None:
        detail = (
            f"This api shares no data folder with its embedders: their media are in a bucket "
            f"(SIGHTLINE_MEDIA_URL). {instead}"
        )
        raise ApiError(HTTPStatus.CONFLICT, "no_shared_folder", detail)
