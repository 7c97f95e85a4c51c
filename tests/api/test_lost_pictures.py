"""What the report of a migration calls lost."""

from dataclasses import replace
from typing import Any

import numpy as np
from example_migration import example_migration
from example_picture import example_point
from starlette.testclient import TestClient

from sightline.errors import FailureReason
from sightline.identity import point_id
from sightline.index import CollectionSpec
from sightline.payload import INDEXED_FIELDS
from sightline.queue.lost_points import Lost
from sightline_api.gateway import Gateway
from sightline_api.migrating.report import lost_now


def test_pictures_that_came_in_again_or_were_deleted_are_lost_no_more(client: TestClient) -> None:
    app: Any = client.app
    gateway: Gateway = app.state.gateway
    manifest = gateway.models.default.artifact.manifest
    vector = np.eye(1, manifest.dimension, dtype=np.float32)[0]
    point = example_point(manifest, "openvino-f32", vector)
    missing, back, deleted = (point_id(digit * 64) for digit in "123")
    migration = example_migration(collection="lost", old="lost.1", new="lost.2")
    for name, ids in ((migration.old, (missing, back)), (migration.new, (back,))):
        gateway.index.ensure_collection(
            CollectionSpec(name, manifest.space, manifest.dimension, INDEXED_FIELDS)
        )
        gateway.index.insert(name, [replace(point, id=one) for one in ids])
    gone = Lost(reason=FailureReason.NOT_FOUND, detail="gone")
    gateway.migrations.lost.note(migration.id, dict.fromkeys((missing, back, deleted), gone))

    for _ in range(2):
        assert lost_now(gateway, migration) == {FailureReason.NOT_FOUND: 1}

    for name in (migration.old, migration.new):
        gateway.index.drop_collection(name)
