"""Examples as a client sends them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import skimage
from documented_requests import FORM, JSON, ExampleRequest, Operation
from starlette.testclient import TestClient

from sightline_api.http.example_values import JOB_ID

PICTURES = Path(skimage.__file__).parent / "data"
PHOTOS = "/photos"
"""An import root, in the examples."""


def send(
    client: TestClient,
    example: ExampleRequest,
    here: Mapping[str, str],
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send an example, with what stands for things of the reader's own replaced by what is `here`."""
    operation = example.operation
    options: dict[str, Any] = {}
    sent = dict(headers or {})
    path = operation.path.format(**example.path)
    if operation.body:
        text = json.dumps(example.body)
        for documented, real in here.items():
            text = text.replace(f'"{documented}', f'"{real}')
        options = form_of(operation, json.loads(text)) if operation.body[0] == FORM else {"content": text}
        if operation.body[0] == JSON:
            sent["Content-Type"] = JSON
    path = path.replace(JOB_ID, here[JOB_ID])
    return client.request(operation.method, path, params=dict(example.query), headers=sent, **options)


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
