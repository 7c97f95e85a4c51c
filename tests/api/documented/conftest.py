"""What the examples of the OpenAPI document speak of: a picture, a job, a key, collections, a folder."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from documented_requests import ExampleRequest
from example_picture import example_bytes, example_point
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.errors import CollectionNotFound, FailureReason
from sightline.index import Point
from sightline.index.versions import version_of
from sightline.portable.manifest import MANIFEST
from sightline.portable.places import PortablePlaces
from sightline.queue.jobs import Batch, BatchOutcome, Failure, JobRequest
from sightline.queue.keys import Key, Scope, digest_of
from sightline.queue.ledger import Ledger
from sightline.queue.migration_records import Migration, MigrationState
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline.settings import Quantization, Settings
from sightline_api.app import create_app
from sightline_api.gateway import Gateway
from sightline_api.http.example_values import IMAGE_ID, IMAGE_SHA256, KEY_ID, MIGRATION_ID, NAMED_COLLECTION

API_KEY = "6f1c0b8e5d2a4937"
MADE = ("holidays", "products")
"""Collections that examples make."""


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    """A gateway with a key, which the client has: an example makes another, and then everybody needs one."""
    guarded = settings.model_copy(update={"api_key": SecretStr(API_KEY)})
    with TestClient(create_app(guarded), headers={"X-API-Key": API_KEY}) as client:
        yield client


@pytest.fixture
def gateway(client: TestClient) -> Gateway:
    return gateway_of(client)


def gateway_of(client: TestClient) -> Gateway:
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    return found


@pytest.fixture(scope="module")
def point(client: TestClient) -> Point:
    """The point of the examples' picture, which takes longer to encode than most examples to answer."""
    models = gateway_of(client).models
    vector = models.of_new_collections.pictures.of_bytes(example_bytes()).vector
    encoder = models.default.encoder
    return example_point(encoder.manifest, encoder.numerics, vector)


@pytest.fixture
def picture(gateway: Gateway, point: Point) -> Iterator[None]:
    """The stored picture of the examples: coffee.png."""
    data, collection = example_bytes(), gateway.settings.collection
    gateway.index.ensure_collection(gateway.collection_spec(collection))
    gateway.index.insert(collection, [point])
    gateway.media.put_original(collection, IMAGE_SHA256, data)
    gateway.media.put_thumbnail(collection, IMAGE_ID, b"small")
    yield
    gateway.index.delete(collection, [IMAGE_ID])


@pytest.fixture
def job_id(ledger: Ledger, settings: Settings) -> str:
    """The id of an ended job, of which one picture came too late, and which has a file of an export."""
    item = Item(number=0, kind=SourceKind.URL, uri="https://example.com/cup.jpg")
    failure = Failure(
        item=item, reason=FailureReason.FETCH_TIMEOUT, detail="why", attempts=1, at=datetime.now(UTC)
    )
    job = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="urls")))
    assert ledger.plan_batch(job.id, Batch(id="0", items=(item,)), cursor="c")
    ledger.end_listing(job.id)
    ledger.set_outcome(job.id, "0", BatchOutcome(indexed=0, unchanged=0, failures=(failure,)))
    export = PortablePlaces(settings.data_dir).export(job.id)
    export.mkdir(parents=True)
    (export / MANIFEST).write_text("{}")
    return job.id


@pytest.fixture
def key(gateway: Gateway, job_id: str) -> Iterator[None]:
    """The key that the examples revoke; those that they make are gone afterwards."""
    about = {"id": KEY_ID, "digest": digest_of("a key"), "created_at": datetime.now(UTC)}
    key = Key(name="shop", scope=Scope.READ, **about)
    gateway.redis.hset("sightline:keys", KEY_ID, key.model_dump_json())
    yield
    gateway.redis.delete("sightline:keys")


@pytest.fixture
def collections(gateway: Gateway, example: ExampleRequest) -> None:
    """Those that examples make are not there yet, and the one that they name is."""
    for name in MADE:
        with suppress(CollectionNotFound):
            gateway.index.drop_collection(name)
    if example.path.get("name") == NAMED_COLLECTION:
        gateway.index.ensure_collection(gateway.collection_spec(NAMED_COLLECTION))


_STATES = {
    "switch": MigrationState.READY,
    "rollback": MigrationState.SWITCHED,
    "finish": MigrationState.SWITCHED,
    "abort": MigrationState.READY,
    "pause": MigrationState.BUILDING,
    "resume": MigrationState.PAUSED,
}
"""What a migration is before an example does something with it."""


@pytest.fixture
def migration(gateway: Gateway, example: ExampleRequest, job_id: str, collections: None) -> Iterator[None]:
    """The migration that the examples name, or for the one that starts another what that is of."""
    if "/v1/migrations" not in example.operation.path:
        yield
        return
    info = gateway.index.ensure_collection(gateway.collection_spec(NAMED_COLLECTION))
    if "migration_id" in example.path:
        artifact = gateway.models.default.artifact
        made = Migration(
            id=MIGRATION_ID,
            collection=NAMED_COLLECTION,
            old=info.version,
            new=version_of(NAMED_COLLECTION, MIGRATION_ID),
            model=artifact.path.name,
            old_space=info.space,
            space=info.space,
            dimension=info.dimension,
            precision=None,
            quantization=Quantization.INT8,
            old_precision=None,
            state=_STATES.get(example.operation.path.rpartition("/")[2], MigrationState.READY),
            created_at=datetime.now(UTC),
        )
        gateway.migrations.start(made)
        gateway.index.ensure_collection(replace(gateway.collection_spec(made.new), fields=info.fields))
    yield
    for left in gateway.migrations.active():
        with suppress(CollectionNotFound):
            gateway.index.drop_collection(left.new)
        gateway.migrations.end_with_collection(left.id)
    with suppress(CollectionNotFound):
        gateway.index.drop_collection(NAMED_COLLECTION)
    for version in (info.version, version_of(NAMED_COLLECTION, MIGRATION_ID)):
        with suppress(CollectionNotFound):
            gateway.index.drop_collection(version)


@pytest.fixture
def photos(settings: Settings) -> str:
    """A folder that may be imported, with the archive of the examples in it."""
    [root] = settings.import_roots
    (root / "2024.zip").touch()
    return str(root)
