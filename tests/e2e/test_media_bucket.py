"""An embedded stack that keeps originals and thumbnails in a bucket."""

import hashlib
from pathlib import Path
from typing import Any

PHOTOS = ("chelsea.png", "coffee.png")


def keys(s3_server: Any, monkeypatch: Any) -> list[str]:
    from sightline.buckets.s3 import S3Bucket
    from sightline.buckets.storage import USUAL_LIMITS

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return [one.key for one in S3Bucket("stack", USUAL_LIMITS).list_after("", None)]


def test_uploads_live_in_the_bucket_from_first_to_last(
    run_tiny_stack: Any, s3_server: Any, photo_folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    s3_server.fill("stack", {})
    environment = {"SIGHTLINE_MEDIA_URL": "s3://stack/sightline", **s3_server.environment}
    photos = {name: (photo_folder / name).read_bytes() for name in PHOTOS}
    with run_tiny_stack(tmp_path / "data", photo_folder, environment) as stack:
        api = stack.api
        assert api.get("/readyz").json()["dependencies"]["media"]["ready"]

        # When pictures are uploaded
        sent = api.post("/v1/images", files=[("files", (name, data)) for name, data in photos.items()])
        assert sent.status_code == 202, sent.text
        job = stack.ended_job(sent.json()["id"], within_s=60)
        assert job["counts"]["indexed"] == 2, job

        # Then the bucket has them and their thumbnails, and this machine nothing
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in photos.items()}
        kept = keys(s3_server, monkeypatch)
        assert {key.rpartition("/")[2] for key in kept if "/originals/" in key} == set(hashes.values())
        assert sum("/thumbnails/" in key for key in kept) == 2
        assert all(key.startswith("sightline/images/") for key in kept)
        media = tmp_path / "data" / "media"
        assert not [path for path in media.rglob("*") if path.is_file()]

        # They are found, shown and given back
        found = api.post("/v1/search/image", files={"file": photos["chelsea.png"]}, data={"limit": "1"})
        image = found.json()["hits"][0]["image"]
        assert image["sha256"] == hashes["chelsea.png"]
        assert api.get(image["thumbnail_url"]).headers["content-type"] == "image/webp"
        original = api.get(f"/v1/images/{image['id']}/original")
        assert original.content == photos["chelsea.png"]

        # Deleting one takes what is kept of it, and deleting the collection the rest
        assert api.delete(f"/v1/images/{image['id']}").status_code == 204
        kept = keys(s3_server, monkeypatch)
        assert [key.rpartition("/")[2] for key in kept if "/originals/" in key] == [hashes["coffee.png"]]
        assert len(kept) == 2
        assert api.delete("/v1/collections/images").status_code == 204
        assert keys(s3_server, monkeypatch) == []


def test_a_bucket_that_is_gone_stops_uploads_and_not_searches(
    run_tiny_stack: Any, s3_server: Any, photo_folder: Path, tmp_path: Path
) -> None:
    environment = {"SIGHTLINE_MEDIA_URL": "s3://never-made", **s3_server.environment}
    with run_tiny_stack(tmp_path / "data", photo_folder, environment) as stack:
        sent = stack.api.post("/v1/images", files={"files": (photo_folder / "coffee.png").read_bytes()})
        assert (sent.status_code, sent.json()["code"]) == (503, "service_unavailable")
        assert "no bucket s3://never-made; make it" in sent.json()["detail"]
        assert stack.api.get("/v1/jobs").json()["items"] == []
        assert stack.api.get("/v1/search", params={"q": "a cat"}).status_code == 200
