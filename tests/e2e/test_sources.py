"""Buckets and manifests through the whole stack: everything goes in with its metadata, and is found by it."""

import io
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from sightline.identity import sha256_of

LONG = os.environ.get("SIGHTLINE_TEST_LONG") == "1"
OBJECTS = 1000 if LONG else 100
ROWS = 10_000 if LONG else 300
WITHIN_S = 900.0 if LONG else 90.0
FIELDS = {"sku": "keyword", "price": "float", "stock": "integer", "sold": "bool", "made": "datetime"}
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


def picture(number: int) -> bytes:
    """A JPEG of 32 by 32 pixels, another for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG")
    return out.getvalue()


def found(stack: Any, **filter: Any) -> Sequence[Any]:
    """Every picture that a filter matches."""
    wanted = {"filter": json.dumps(filter), "limit": 200}
    page = stack.api.get("/v1/images", params=wanted).json()
    images = list(page["items"])
    while page["next_cursor"]:
        page = stack.api.get("/v1/images", params=wanted | {"cursor": page["next_cursor"]}).json()
        images += page["items"]
    return images


def ended(stack: Any, **body: Any) -> Any:
    answer = stack.api.post("/v1/ingest", json=body)
    assert answer.status_code == 202, answer.text
    return stack.ended_job(answer.json()["id"], WITHIN_S)


@pytest.fixture(scope="module")
def filled_bucket(s3_server: Any) -> Mapping[str, bytes]:
    pictures = {f"catalogue/{number % 10}/p {number}.jpg": picture(number) for number in range(OBJECTS)}
    others = {
        "catalogue/lists/new.csv": b"url,sku,price\n../3/p 3.jpg,B-2,7.5\ns3://shop/private.jpg,B-2,7.5\n",
        "catalogue/broken.jpg": b"no picture",
        "catalogue/notes.txt": b"x",
        "private.jpg": picture(99_999),
    }
    s3_server.fill("shop", pictures | others)
    return pictures


def test_a_bucket_goes_in_and_its_originals_are_served(
    run_tiny_stack: Any, tmp_path: Path, s3_server: Any, filled_bucket: Mapping[str, bytes]
) -> None:
    environment = {
        **s3_server.environment,
        "SIGHTLINE_BUCKETS": '["s3://shop/catalogue/"]',
        "SIGHTLINE_METADATA_FIELDS": json.dumps(FIELDS),
    }
    with run_tiny_stack(tmp_path / "data", tmp_path, environment) as stack:
        source = {"kind": "bucket", "url": "s3://shop/catalogue"}
        job = ended(stack, source=source, tags=["spring"], metadata={"sku": "A-1", "price": 2.5})

        assert job["state"] == "partial"
        assert job["counts"]["indexed"] == OBJECTS
        assert job["failures_by_reason"] == {"not_an_image": 1}
        images = found(stack, field="metadata.sku", eq="A-1")
        assert len(images) == OBJECTS
        assert len(found(stack, field="metadata.price", gte=2.6)) == 0
        assert {one["tags"][0] for one in images} == {"spring"}

        [example] = [one for one in images if one["sources"][0]["uri"] == "s3://shop/catalogue/7/p%207.jpg"]
        assert example["sources"][0]["kind"] == "bucket"
        original = stack.api.get(example["original_url"])
        assert sha256_of(original.content) == sha256_of(picture(7)) == example["sha256"]
        s3_server.fill("shop", {"catalogue/7/p 7.jpg": b"something else"})
        assert stack.api.get(example["original_url"]).status_code == 404

        listed = {"kind": "manifest", "url": "s3://shop/catalogue/lists/new.csv"}
        job = ended(stack, source=listed, on_duplicate="update")
        assert (job["counts"]["unchanged"], job["failures_by_reason"]) == (1, {"access_denied": 1})
        [renamed] = found(stack, field="metadata.price", gte=7)
        assert (renamed["sha256"], renamed["metadata"]["sku"]) == (sha256_of(picture(3)), "B-2")

        outside = stack.api.post("/v1/ingest", json={"source": {"kind": "bucket", "url": "s3://shop"}})
        assert (outside.status_code, outside.json()["code"]) == (403, "bucket_not_allowed")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Parquet file of ROWS rows, and two more that name no picture."""
    folder = tmp_path_factory.mktemp("manifest")
    numbers = range(ROWS)
    for number in numbers:
        (folder / f"{number}.jpg").write_bytes(picture(number))
    rows = [
        {
            "url": f"{number}.jpg",
            "sku": f"S-{number % 10}",
            "price": number / 4,
            "stock": number % 5,
            "sold": number % 2 == 0,
            "made": BEGIN + timedelta(hours=number),
            "tags": [f"t{number % 7}", "all"],
            "size": {"width": number},
            "nothing": None,
        }
        for number in numbers
    ]
    rows += [{"url": None, "sku": "S-0"}, {"url": "gone.jpg", "sku": "S-0"}]
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist(rows), folder / "list.parquet", row_group_size=ROWS // 3
    )
    return folder / "list.parquet"


def test_a_manifest_goes_in_with_its_metadata(run_tiny_stack: Any, tmp_path: Path, manifest: Path) -> None:
    environment = {"SIGHTLINE_METADATA_FIELDS": json.dumps(FIELDS)}
    with run_tiny_stack(tmp_path / "data", manifest.parent, environment) as stack:
        job = ended(stack, source={"kind": "manifest", "path": str(manifest)})

        assert job["state"] == "partial"
        assert job["counts"]["total"] == ROWS + 2
        assert job["counts"]["indexed"] == ROWS
        assert job["failures_by_reason"] == {"not_found": 2}

        def count(**filter: Any) -> int:
            return len(found(stack, **filter))

        numbers = range(ROWS)
        assert count(field="metadata.sku", eq="S-3") == len([n for n in numbers if n % 10 == 3])
        assert count(field="metadata.price", gte=10, lte=20) == len([n for n in numbers if 10 <= n / 4 <= 20])
        assert count(field="metadata.stock", any=[1, 4]) == len([n for n in numbers if n % 5 in (1, 4)])
        assert count(field="metadata.sold", eq=True) == len([n for n in numbers if n % 2 == 0])
        assert count(field="metadata.made", gte="2024-01-03", lte="2024-01-04") == 48
        assert count(field="tags", eq="t6") == len([n for n in numbers if n % 7 == 6])
        assert count(field="tags", eq="all") == ROWS

        both = {"all": [{"field": "metadata.sku", "eq": "S-7"}, {"field": "metadata.price", "lte": 2}]}
        [one] = found(stack, **both)
        assert one["metadata"] == {
            "sku": "S-7",
            "price": 1.75,
            "stock": 2,
            "sold": False,
            "made": "2024-01-01T07:00:00Z",
            "size": {"width": 7},
        }
        hits = stack.api.post("/v1/search", json={"query": [{"text": "cat"}], "filter": both}).json()["hits"]
        assert [hit["image"]["id"] for hit in hits] == [one["id"]]
