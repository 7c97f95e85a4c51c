"""Two collections with the same picture: who has a key for one sees nothing of the other."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

SECRET = "b41c9e07d25f8a6396d0c1"
URL = "https://example.org/cup.jpg"
BOTH, ONLY_B = "chelsea.png", "coffee.png"


@pytest.fixture(scope="module")
def stack(run_tiny_stack: Any, tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Iterator[Any]:
    with run_tiny_stack(
        tmp_path_factory.mktemp("data"), photo_folder, environment={"SIGHTLINE_API_KEY": SECRET}
    ) as stack:
        stack.api.headers["X-API-Key"] = SECRET
        yield stack


def upload(api: httpx.Client, collection: str, *files: tuple[str, bytes], **headers: str) -> Any:
    answer = api.post(
        "/v1/images",
        params={"collection": collection},
        files=[("files", file) for file in files],
        data={"tags": collection, "metadata": json.dumps({"shop": collection})},
        headers={"Prefer": "wait=60", **headers},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def key_for(api: httpx.Client, collection: str) -> httpx.Client:
    made = api.post("/v1/keys", json={"name": collection, "scope": "write", "collections": [collection]})
    return httpx.Client(base_url=api.base_url, timeout=60, headers={"X-API-Key": made.json()["key"]})


@pytest.fixture(scope="module")
def shops(stack: Any, photo_folder: Path) -> Iterator[dict[str, Any]]:
    """Clients of A and of B, and what each of them brought in: B has one picture more, and a broken one."""
    both, only = ((photo_folder / name).read_bytes() for name in (BOTH, ONLY_B))
    jobs = {}
    with key_for(stack.api, "a") as a, key_for(stack.api, "b") as b:
        once = {"Idempotency-Key": "once"}
        jobs["b"] = upload(b, "b", (BOTH, both), (ONLY_B, only), ("broken.jpg", b"no picture"), **once)
        jobs["a"] = upload(a, "a", (BOTH, both), **once)
        for client, collection in ((a, "a"), (b, "b")):
            scan = client.post("/v1/duplicates/scan", json={"collection": collection})
            assert stack.ended_job(scan.json()["id"], 60)["state"] == "succeeded", scan.text
        yield {"a": a, "b": b, "jobs": jobs}


def image_ids(api: httpx.Client, collection: str) -> dict[str, str]:
    """Ids by the name of the file."""
    items = api.get("/v1/images", params={"collection": collection}).json()["items"]
    return {item["sources"][0]["uri"].removeprefix("upload:"): item["id"] for item in items}


def test_the_same_picture_is_indexed_in_each(shops: dict[str, Any]) -> None:
    counts = {name: job["counts"] for name, job in shops["jobs"].items()}
    assert (counts["b"]["indexed"], counts["b"]["failed"]) == (2, 1)
    # It is not taken for one that is there already, nor its key for one that was used.
    assert (counts["a"]["indexed"], counts["a"]["unchanged"]) == (1, 0)
    assert shops["jobs"]["a"]["id"] != shops["jobs"]["b"]["id"]


def test_one_sees_counts_and_finds_its_own_alone(shops: dict[str, Any]) -> None:
    a: httpx.Client = shops["a"]
    mine = {"collection": "a"}
    ids = image_ids(shops["b"], "b")
    assert image_ids(a, "a") == {BOTH: ids[BOTH]}
    stats = a.get("/v1/stats").json()
    assert [(one["name"], one["points"]) for one in stats["collections"]] == [("a", 1)]
    assert [one["name"] for one in a.get("/v1/collections").json()["items"]] == ["a"]
    assert {job["collection"] for job in a.get("/v1/jobs", params={"limit": 100}).json()["items"]} == {"a"}
    tags = a.get("/v1/facets", params=mine | {"field": "tags"}).json()["values"]
    assert tags == [{"value": "a", "count": 1}]
    hits = a.get("/v1/search", params=mine | {"q": "a cup of coffee"}).json()["hits"]
    assert [hit["image"]["id"] for hit in hits] == [ids[BOTH]]
    image = a.get(f"/v1/images/{ids[BOTH]}", params=mine).json()
    assert (image["tags"], image["metadata"], len(image["sources"])) == (["a"], {"shop": "a"}, 1)
    only_b = shops["b"].get(f"/v1/images/{ids[ONLY_B]}", params={"collection": "b"}).json()["sha256"]
    known = a.post("/v1/images/known", json=mine | {"sha256": [image["sha256"], only_b]}).json()["known"]
    assert known == {image["sha256"]: ids[BOTH]}
    groups = a.get("/v1/duplicates", params=mine | {"kind": "semantic"}).json()
    assert (groups["groups_found"], groups["items"]) == (0, [])
    assert a.get("/metrics").status_code == 403


def test_what_only_the_other_has_is_not_there(shops: dict[str, Any]) -> None:
    a: httpx.Client = shops["a"]
    other = image_ids(shops["b"], "b")[ONLY_B]
    mine = {"collection": "a"}
    part = {"query": [{"image_id": other}], **mine}
    classify = {"image_id": other, "labels": ["a cat", "a cup"], **mine}
    answers = [
        a.get(f"/v1/images/{other}", params=mine),
        a.get(f"/v1/images/{other}/similar", params=mine),
        a.get(f"/v1/images/{other}/original", params=mine),
        a.get(f"/v1/images/{other}/thumbnail", params=mine),
        a.patch(f"/v1/images/{other}", params=mine, json={"tags": ["taken"]}),
        a.delete(f"/v1/images/{other}", params=mine),
        a.post("/v1/search", json=part),
        a.post("/v1/classify", json=classify),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)


def test_the_other_and_one_that_is_not_are_answered_alike(shops: dict[str, Any]) -> None:
    a: httpx.Client = shops["a"]
    image = image_ids(a, "a")[BOTH]
    job = shops["jobs"]["b"]["id"]

    def answers(collection: str, job_id: str) -> list[tuple[int, str, str]]:
        def without(detail: str) -> str:
            return detail.replace(f"'{collection}'", "X").replace(job_id, "J")

        there = {"collection": collection}
        found = [
            a.get("/v1/images", params=there),
            a.get(f"/v1/images/{image}", params=there),
            a.get(f"/v1/images/{image}/thumbnail", params=there, headers={"If-None-Match": f'"{image}"'}),
            a.get(f"/v1/images/{image}/original", params=there),
            a.delete(f"/v1/images/{image}", params=there),
            a.get("/v1/search", params=there | {"q": "a cat"}),
            a.post("/v1/search", json=there | {"query": [{"text": "a cat"}]}),
            a.post("/v1/search/image", params=there, files={"file": ("a.png", b"x")}),
            a.post("/v1/classify", json=there | {"image_id": image, "labels": ["a", "b"]}),
            a.get("/v1/facets", params=there | {"field": "tags"}),
            a.get("/v1/duplicates", params=there),
            a.post("/v1/duplicates/scan", json=there),
            a.post("/v1/images/known", json=there | {"sha256": ["0" * 64]}),
            a.post("/v1/images", params=there, files={"files": ("a.png", b"x")}),
            a.post("/v1/ingest", json=there | {"source": {"kind": "urls", "items": [{"url": URL}]}}),
            a.get(f"/v1/collections/{collection}"),
            *(a.get(f"/v1/jobs/{job_id}{part}") for part in ("", "/failures", "/events")),
            *(a.post(f"/v1/jobs/{job_id}/{part}") for part in ("cancel", "retry")),
        ]
        return [(one.status_code, one.json()["code"], without(one.json()["detail"])) for one in found]

    hidden, absent = answers("b", job), answers("nowhere", "0" * len(job))
    assert hidden == absent
    assert {status for status, _, _ in hidden} == {404}
    assert {code for _, code, _ in hidden} == {"collection_not_found", "job_not_found"}


def test_deleting_in_one_leaves_the_other(stack: Any, shops: dict[str, Any], photo_folder: Path) -> None:
    a, b = shops["a"], shops["b"]
    image = image_ids(a, "a")[BOTH]
    assert a.delete(f"/v1/images/{image}", params={"collection": "a"}).status_code == 204
    for part in ("", "/original", "/thumbnail"):
        assert b.get(f"/v1/images/{image}{part}", params={"collection": "b"}).status_code == 200
    again = upload(a, "a", (BOTH, (photo_folder / BOTH).read_bytes()))
    assert again["counts"]["indexed"] == 1
    assert stack.api.delete("/v1/collections/a").status_code == 204
    assert a.get("/v1/images", params={"collection": "a"}).status_code == 404
    assert len(image_ids(b, "b")) == 2
    # And it begins anew when pictures go into it.
    again = upload(a, "a", (BOTH, (photo_folder / BOTH).read_bytes()))
    assert again["counts"]["indexed"] == 1


def test_keys_are_made_listed_and_revoked_at_the_command_line(stack: Any) -> None:
    def sightline(*words: str, key: str = SECRET) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sightline_local", *words, "--url", str(stack.api.base_url)]
        environment = {**os.environ, "SIGHTLINE_API_KEY": key}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, check=False
        )

    terms = ("--scope", "read", "--collection", "b", "--expires", "2100-01-01", "--rate-limit", "600/minute")
    made = sightline("keys", "make", "visitor", *terms)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("sl_")
    assert key not in made.stderr

    found = sightline("facets", "tags", "--collection", "b", "--json", key=key)
    assert json.loads(found.stdout)["values"] == [{"value": "b", "count": 2}]
    refused = sightline("keys", "list", key=key)
    assert (refused.returncode, "needs the scope admin" in refused.stderr) == (2, True)

    listed = json.loads(sightline("keys", "list", "--json").stdout)
    [visitor] = [one for one in listed if one["name"] == "visitor"]
    assert (visitor["collections"], visitor["rate_limit"]) == (["b"], "600/minute")
    assert visitor["expires_at"].startswith(("2099-12-31", "2100-01-01"))
    assert "visitor" in sightline("keys", "list").stdout
    assert sightline("keys", "revoke", visitor["id"]).returncode == 0
    gone = sightline("facets", "tags", "--collection", "b", key=key)
    assert (gone.returncode, "missing or wrong" in gone.stderr) == (2, True)
    twice = sightline("keys", "revoke", visitor["id"])
    assert (twice.returncode, f"no key {visitor['id']}" in twice.stderr) == (2, True)
