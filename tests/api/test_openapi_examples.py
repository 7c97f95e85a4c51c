"""What the OpenAPI document says can be relied on: every example in it is sent, and answered as it says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
import skimage
from documented_requests import FORM, JSON, ExampleRequest, Operation, operations_of
from pydantic import TypeAdapter
from starlette.testclient import TestClient

from sightline.errors import FailureReason
from sightline.identity import point_id, sha256_of
from sightline.index import Point
from sightline.payload import FirstIndexed, Payload, Source
from sightline.queue.jobs import Batch, BatchOutcome, Failure, JobRequest
from sightline.queue.ledger import Ledger
from sightline.queue.sources import Item, RecordedSource, SourceKind
from sightline.settings import Settings
from sightline_api import routes
from sightline_api.app import create_app
from sightline_api.gateway import Gateway
from sightline_api.http.example_values import IMAGE_ID, IMAGE_SHA256, JOB_ID
from sightline_api.http.problem_document import MEDIA_TYPE, Problem

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = operations_of(DOCUMENT)
EXAMPLES = [example for operation in OPERATIONS for example in ExampleRequest.all_of(operation)]
MODELS = {
    (method, route.path): route.response_model
    for module in iter_modules(routes.__path__, f"{routes.__name__}.")
    for route in import_module(module.name).router.routes
    for method in route.methods
}
PICTURES = Path(skimage.__file__).parent / "data"
PHOTOS = "/photos"
"""An import root, in the examples."""


@pytest.fixture
def gateway(client: TestClient) -> Gateway:
    found: Gateway = client.app.state.gateway  # type: ignore[attr-defined]
    return found


@pytest.fixture
def picture(gateway: Gateway) -> Iterator[None]:
    """The stored picture of the examples: coffee.png."""
    data = (PICTURES / "coffee.png").read_bytes()
    assert (sha256_of(data), point_id(IMAGE_SHA256)) == (IMAGE_SHA256, IMAGE_ID)
    collection, manifest, now = gateway.settings.collection, gateway.encoder.manifest, datetime.now(UTC)
    gateway.index.ensure_collection(gateway.collection_spec(collection))
    payload = Payload(
        sha256=IMAGE_SHA256,
        space=manifest.space,
        model=manifest.name,
        numerics=gateway.encoder.numerics,
        format="png",
        width=600,
        height=400,
        bytes=len(data),
        taken_at=datetime(2024, 5, 31, tzinfo=UTC),
        indexed_at=now,
        sort_at=now,
        tags=("holiday",),
        sources={"k": Source(kind="upload", uri="upload:coffee.png")},
        first_indexed=FirstIndexed(job="j", source="k"),
    )
    vector = gateway.pictures.of_bytes(data).vector
    gateway.index.insert(collection, [Point(IMAGE_ID, vector, payload)])
    gateway.media.put_original(collection, IMAGE_SHA256, data)
    gateway.media.put_thumbnail(collection, IMAGE_ID, b"small")
    yield
    gateway.index.delete(collection, [IMAGE_ID])


@pytest.fixture
def job_id(ledger: Ledger) -> str:
    """The id of an ended job, of which one picture came too late."""
    item = Item(number=0, kind=SourceKind.URL, uri="https://example.com/cup.jpg")
    failure = Failure(
        item=item, reason=FailureReason.FETCH_TIMEOUT, detail="why", attempts=1, at=datetime.now(UTC)
    )
    job = ledger.create(JobRequest(collection="images", source=RecordedSource(kind="urls")))
    assert ledger.plan_batch(job.id, Batch(id="0", items=(item,)), cursor="c")
    ledger.end_listing(job.id)
    ledger.set_outcome(job.id, "0", BatchOutcome(indexed=0, unchanged=0, failures=(failure,)))
    return job.id


@pytest.fixture
def photos(settings: Settings) -> str:
    """A folder that may be imported, with the archive of the examples in it."""
    [root] = settings.import_roots
    (root / "2024.zip").touch()
    return str(root)


def send(client: TestClient, example: ExampleRequest, here: dict[str, str]) -> httpx.Response:
    """Send an example, with what stands for things of the reader's own replaced by what is `here`."""
    operation = example.operation
    options: dict[str, Any] = {}
    path = operation.path.format(**example.path)
    if operation.body:
        text = json.dumps(example.body)
        for documented, real in here.items():
            text = text.replace(f'"{documented}', f'"{real}')
        options = form_of(operation, json.loads(text)) if operation.body[0] == FORM else {"content": text}
        if operation.body[0] == JSON:
            options["headers"] = {"Content-Type": JSON}
    return client.request(
        operation.method, path.replace(JOB_ID, here[JOB_ID]), params=dict(example.query), **options
    )


def form_of(operation: Operation, values: dict[str, Any]) -> dict[str, Any]:
    """The parts of a form: files are sample pictures by name, and lists are sent one by one."""
    assert operation.body is not None
    fields = operation.resolved(operation.body[1]["schema"])["properties"]
    parts = []
    for name, value in values.items():
        is_file = "contentMediaType" in fields[name].get("items", fields[name])
        for one in value if isinstance(value, list) else [value]:
            part = (one, (PICTURES / one).read_bytes()) if is_file else (None, str(one))
            parts.append((name, part))
    return {"files": parts}


@pytest.mark.usefixtures("picture")
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_the_example_is_answered_as_documented(
    client: TestClient, example: ExampleRequest, job_id: str, photos: str
) -> None:
    answer = send(client, example, {JOB_ID: job_id, PHOTOS: photos})

    operation = example.operation
    succeeding = [status for status in operation.described["responses"] if status.startswith("2")]
    assert str(answer.status_code) in succeeding, answer.text
    content = operation.described["responses"][str(answer.status_code)].get("content", {})
    media_type = answer.headers["content-type"].partition(";")[0] if answer.content else None
    assert media_type in (content or {None})
    if media_type == JSON:
        model = TypeAdapter(MODELS[operation.method, operation.path])
        assert model.dump_python(model.validate_json(answer.content), mode="json") == answer.json()


def test_the_document_is_the_one_served(client: TestClient) -> None:
    assert client.get("/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_body_and_parameter_has_an_example(operation: Operation) -> None:
    if operation.body:
        assert operation.body_examples()
    lacking = [name for name, values in operation.parameters("path", "query").items() if not values]
    assert lacking == []


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_answer_is_described(operation: Operation) -> None:
    assert operation.described["description"]
    responses = operation.described["responses"]
    assert MEDIA_TYPE in responses["default"]["content"]
    for response in responses.values():
        assert response["description"]
        for media_type, said in response.get("content", {}).items():
            if media_type.endswith("json"):
                assert operation.resolved(said["schema"])["description"]


@pytest.mark.parametrize("path", ["/v1/jobs/none", "/v1/search", "/v1/nothing"])
def test_errors_are_the_documented_problem(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert Problem.model_validate(answer.json()).status == answer.status_code >= 400


def test_the_example_of_a_problem_is_one() -> None:
    for example in Problem.model_json_schema()["examples"]:
        assert Problem.model_validate(example).model_extra == {}
