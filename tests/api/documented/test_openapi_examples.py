"""What the OpenAPI document says can be relied on: every example in it is sent, and answered as it says."""

import json
from importlib import import_module
from pkgutil import iter_modules

import pytest
from documented_requests import JSON, ExampleRequest, Operation, operations_of
from pydantic import TypeAdapter
from sending_examples import PHOTOS, send
from starlette.testclient import TestClient

from sightline.settings import Settings
from sightline_api import routes
from sightline_api.app import create_app
from sightline_api.http.example_values import JOB_ID
from sightline_api.http.problem_document import MEDIA_TYPE, Problem

DOCUMENT = create_app(Settings()).openapi()
OPERATIONS = operations_of(DOCUMENT)
EXAMPLES = [example for operation in OPERATIONS for example in ExampleRequest.all_of(operation)]
MODELS = {
    (method, route.path_format): route.response_model
    for module in iter_modules(routes.__path__, f"{routes.__name__}.")
    for route in import_module(module.name).router.routes
    for method in route.methods
}


@pytest.mark.usefixtures("picture", "key", "collections", "migration")
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
