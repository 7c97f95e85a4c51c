"""Everything the gateway depends on, and what to do when it fails; docs/operations/readiness.md lists it."""

import os
import re
from collections.abc import Sequence

from sightline.errors import SightlineError, Unavailable
from sightline.media import MediaStore
from sightline.settings import Settings
from sightline_api.gateway import Gateway
from sightline_api.readiness.check import Check, NotWell, Stops
from sightline_api.readiness.collection_models import ModelsOfCollections
from sightline_api.readiness.crew_checks import CrewChecks
from sightline_api.readiness.model_checks import ModelFiles, ModelInMemory

_MIB = 1 << 20


def checks_of(gateway: Gateway) -> Sequence[Check]:
    """The checks of a gateway."""
    crew = CrewChecks(gateway.embedders, gateway.ledger)
    return (*_of_searches(gateway), *_of_ingest(gateway), *_of_embedders(crew))


def _of_searches(gateway: Gateway) -> Sequence[Check]:
    artifact = gateway.models.default.artifact
    files = ModelFiles(artifact)
    return (
        Check(
            "model",
            Stops.SEARCH,
            ModelInMemory(gateway.models.default.encoder, artifact, files).check,
            "Put the artifact back or build it again, then restart api and embedders if this does not pass.",
            slow=True,
        ),
        Check(
            "model_files",
            Stops.RESTART,
            files.check,
            "Put the artifact back or build it again before api or embedders are started anew.",
            slow=True,
        ),
        Check(
            "index",
            Stops.SEARCH,
            gateway.index.ping,
            "Start Qdrant, or correct SIGHTLINE_QDRANT_URL; `sightline up` starts its index again by itself.",
        ),
        Check(
            "collection",
            Stops.SEARCH,
            lambda: _check_default_collection(gateway),
            "Put the model that the collection was made with into SIGHTLINE_MODELS_DIR, or set "
            "SIGHTLINE_COLLECTION to another collection and restart.",
            by_way_of="index",
        ),
        Check(
            "migrations",
            Stops.RESTART,
            ModelsOfCollections(gateway).check,
            "Put the model into SIGHTLINE_MODELS_DIR of this process before the migration is switched to.",
            by_way_of="redis",
            slow=True,
        ),
    )


def _of_ingest(gateway: Gateway) -> Sequence[Check]:
    media = Check(
        "media",
        Stops.INGEST,
        gateway.media.ping,
        "Make the bucket at SIGHTLINE_MEDIA_URL reachable, and permit reading, writing, deleting and "
        "listing there.",
    )
    return (
        Check(
            "redis",
            Stops.INGEST,
            gateway.ledger.ping,
            "Start Redis, or correct SIGHTLINE_REDIS_URL; searches go on, and jobs when it is back.",
        ),
        Check(
            "disk",
            Stops.INGEST,
            lambda: _check_disk(gateway.settings, gateway.media),
            "Make room on the disk, or have SIGHTLINE_DATA_DIR on another; uploads are refused until then.",
        ),
        *([media] if gateway.settings.media_url is not None else ()),
    )


def _of_embedders(crew: CrewChecks) -> Sequence[Check]:
    return (
        Check(
            "embedders",
            Stops.INGEST,
            crew.someone_is_there,
            "Start an embedder, or see in its log why it ended; jobs wait for it.",
            by_way_of="redis",
        ),
        Check(
            "queue",
            Stops.INGEST,
            crew.queue_moves,
            "See in the embedders' logs what they wait for, and restart those that say nothing.",
            by_way_of="redis",
        ),
        Check(
            "clock",
            Stops.INGEST,
            crew.clocks_agree,
            "Have all clocks set by NTP: leases of messages, sessions and signatures of buckets go by them.",
            by_way_of="redis",
        ),
    )


def _check_default_collection(gateway: Gateway) -> None:
    name = gateway.settings.collection
    try:
        gateway.ensure_collection(name)
    except Unavailable:  # It is the index that fails then.
        raise
    except SightlineError as error:
        # Whoever reaches the port reads this, and may know of no collection.
        named = rf"(collection) '{re.escape(name)}(\.[a-z0-9]+)?'"
        told = re.sub(named, r"\1 SIGHTLINE_COLLECTION", str(error), flags=re.IGNORECASE)
        raise NotWell(told) from error


def _check_disk(settings: Settings, media: MediaStore) -> None:
    free, folder = media.free_bytes(), settings.data_dir
    if free < settings.min_free_bytes:
        raise NotWell(
            f"{free // _MIB:,} MiB are free where {folder} is, less than the "
            f"{settings.min_free_bytes // _MIB:,} MiB of SIGHTLINE_MIN_FREE_BYTES."
        )
    if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
        raise NotWell(f"{folder} cannot be written.")
