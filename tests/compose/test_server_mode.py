"""Server mode: api and embedders over TCP with Redis and Qdrant, in good days and in bad ones."""

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from skimage import data as skimage_data

SEARCH_DEADLINE_S = 10.0
GONE_S = 60.0 if os.environ.get("SIGHTLINE_TEST_LONG") == "1" else 15.0
PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg")


@pytest.fixture
def photos(many_pictures: Path) -> Path:
    """A few real photos, in a folder that may be imported."""
    folder = many_pictures / "photos"
    folder.mkdir(exist_ok=True)
    for name in PHOTOS:
        shutil.copyfile(Path(skimage_data.__file__).parent / name, folder / name)
    return folder


def name_of(image: Any) -> str:
    return Path(image["sources"][0]["uri"]).name


def search(deployment: Any, collection: str) -> Any:
    """A search by words, and how long it took."""
    started = monotonic()
    answer = deployment.client.get("/v1/search", params={"q": "a cat", "collection": collection})
    return answer, monotonic() - started


def test_pictures_go_in_are_found_listed_and_deleted(deployment: Any, photos: Path, collection: str) -> None:
    client, chosen = deployment.client, {"collection": collection}
    deployment.assert_all_indexed(deployment.ingest(photos, collection), collection, len(PHOTOS))
    upload = client.post(
        f"/v1/images?collection={collection}",
        files=[("files", ("wall.png", (Path(skimage_data.__file__).parent / "brick.png").read_bytes()))],
        headers={"Prefer": "wait=30"},
    )
    assert (upload.status_code, upload.json()["counts"]["indexed"]) == (200, 1), upload.text

    hits = client.get("/v1/search", params={"q": "a cat", **chosen}).json()["hits"]
    assert name_of(hits[0]["image"]) == "chelsea.png"
    items = client.get("/v1/images", params={"limit": 200, **chosen}).json()["items"]
    assert {name_of(item) for item in items} == {*PHOTOS, "upload:wall.png"}
    wall = next(item for item in items if name_of(item) == "upload:wall.png")
    assert client.get(wall["thumbnail_url"]).headers["content-type"] == "image/webp"

    assert client.delete(f"/v1/images/{wall['id']}", params=chosen).status_code == 204
    assert client.get(f"/v1/images/{wall['id']}", params=chosen).status_code == 404
    assert deployment.points(collection) == len(PHOTOS)


def test_nobody_gets_in_without_the_key(deployment: Any) -> None:
    answer = deployment.client.get("/v1/images", headers={"X-API-Key": "another"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


def test_embedders_share_a_job_and_outlive_one_another(
    deployment: Any, many_pictures: Path, collection: str
) -> None:
    job_id = deployment.ingest(many_pictures / "200", collection)
    both = deployment.embedders
    deployment.until(lambda: all(deployment.batches(one, job_id) for one in both), "both share the work")
    deployment.under_way(job_id)
    both[0].kill()

    deployment.assert_all_indexed(job_id, collection, 200)


def test_a_stopped_embedder_gives_back_what_it_has_not_done(
    deployment: Any, many_pictures: Path, collection: str
) -> None:
    job_id = deployment.ingest(many_pictures / "96", collection)
    deployment.under_way(job_id)
    deployment.embedders[0].signal(signal.SIGTERM)

    assert deployment.embedders[0].exit_status(within_s=30) == 0
    deployment.assert_all_indexed(job_id, collection, 96)


@pytest.mark.long
def test_a_stopped_api_answers_what_it_has_been_asked(
    deployment: Any, double: Any, many_pictures: Path, collection: str
) -> None:
    deployment.assert_all_indexed(deployment.ingest(many_pictures / "8", collection), collection, 8)
    with ThreadPoolExecutor(1) as pool:
        double.misbehave(slow_s=2)
        before = double.calls()
        asked = pool.submit(search, deployment, collection)
        while double.calls() == before:
            assert not asked.done()
        deployment.api.signal(signal.SIGTERM)

        answer, _ = asked.result()

    assert (answer.status_code, len(answer.json()["hits"])) == (200, 8)
    deployment.api.exit_status(within_s=30)


def assert_problem_in_time(deployment: Any, collection: str) -> None:
    answer, took_s = search(deployment, collection)
    assert took_s < SEARCH_DEADLINE_S
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "service_unavailable"
    assert "Qdrant" in answer.json()["detail"]


def test_a_slow_qdrant(deployment: Any, double: Any, many_pictures: Path, collection: str) -> None:
    job_id = deployment.ingest(many_pictures / "96", collection)
    deployment.under_way(job_id)
    double.misbehave(slow_s=5)

    assert_problem_in_time(deployment, collection)
    before = double.calls()
    while double.calls() < before + 3:
        assert deployment.get("/healthz").is_success
    double.behave()

    deployment.assert_all_indexed(job_id, collection, 96)
    assert search(deployment, collection)[0].is_success


@pytest.mark.long
def test_a_qdrant_that_fails_half_the_time(
    deployment: Any, double: Any, many_pictures: Path, collection: str
) -> None:
    job_id = deployment.ingest(many_pictures / "96", collection)
    deployment.under_way(job_id)
    double.misbehave(failing=0.5)

    answers = [search(deployment, collection) for _ in range(20)]
    assert {answer.status_code for answer, _ in answers} <= {200, 503}
    assert max(took_s for _, took_s in answers) < SEARCH_DEADLINE_S
    deployment.ended_job(job_id)
    double.behave()

    deployment.assert_all_indexed(job_id, collection, 96)
    assert search(deployment, collection)[0].is_success


def test_a_qdrant_that_is_gone_for_a_while(
    deployment: Any, double: Any, many_pictures: Path, collection: str
) -> None:
    job_id = deployment.ingest(many_pictures / "96", collection)
    deployment.under_way(job_id)
    double.be_gone(GONE_S)

    while search(deployment, collection)[0].is_success:
        pass
    assert_problem_in_time(deployment, collection)
    assert not deployment.client.get("/readyz").is_success

    deployment.assert_all_indexed(job_id, collection, 96)
    assert search(deployment, collection)[0].is_success
    assert deployment.is_ready()
    assert deployment.api.alive()


def test_a_killed_redis_comes_back(deployment: Any, many_pictures: Path, collection: str) -> None:
    job_id = deployment.ingest(many_pictures / "96", collection)
    deployment.under_way(job_id)
    ours = [deployment.api.process, *(one.process for one in deployment.embedders)]
    deployment.redis.kill()

    refused = deployment.client.get(f"/v1/jobs/{job_id}")
    assert (refused.status_code, refused.json()["code"]) == (503, "service_unavailable")
    assert search(deployment, collection)[0].is_success, "a search needs no Redis"
    deployment.redis.start()

    deployment.assert_all_indexed(job_id, collection, 96)
    assert [deployment.api.process, *(one.process for one in deployment.embedders)] == ours
    assert all(process.poll() is None for process in ours)


@pytest.mark.long
def test_services_may_come_up_in_any_order(make_deployment: Any, photos: Path, collection: str) -> None:
    with make_deployment() as late:
        late.embedders.pop()
        late.api.start()
        late.embedders[0].start()
        for process in (late.api, late.embedders[0]):
            late.until(lambda process=process: process.has_logged("waiting_for_service"), "waiting is logged")
        assert late.client.get("/healthz").is_success
        not_ready = late.client.get("/readyz")
        assert (not_ready.status_code, not_ready.json()["dependencies"]["redis"]["ready"]) == (503, False)

        late.mend()

        late.until(lambda: late.api.has_logged("gateway_ready"), "being ready is logged")
        late.assert_all_indexed(late.ingest(photos, collection), collection, len(PHOTOS))
