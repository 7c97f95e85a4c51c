"""The main job: a folder goes in through the queue and is found by words, by a picture and by likeness."""

import base64
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

PHOTOS = ("chelsea.png", "coffee.png", "rocket.jpg", "moon.png", "astronaut.png", "motorcycle_left.png")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in PHOTOS:
        shutil.copyfile(photo_folder / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def stack(run_stack: Any, tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Any]:
    with run_stack(tmp_path_factory.mktemp("data"), pictures) as stack:
        job = stack.ended_job(stack.ingest(pictures, tags=["sample"]), within_s=60)
        assert job["state"] == "succeeded", job
        assert job["counts"]["indexed"] == len(PHOTOS)
        yield stack


@pytest.fixture
def api(stack: Any) -> httpx.Client:
    client: httpx.Client = stack.api
    return client


def name_of(image: Any) -> str:
    return Path(image["sources"][0]["uri"]).name


def best(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return name_of(response.json()["hits"][0]["image"])


def id_of(api: httpx.Client, name: str) -> str:
    items = api.get("/v1/images", params={"limit": 200}).json()["items"]
    return next(item["id"] for item in items if name_of(item) == name)


@pytest.mark.parametrize(
    ("text", "name"),
    [("a cat", "chelsea.png"), ("a cup of coffee", "coffee.png"), ("a rocket", "rocket.jpg")],
)
def test_found_by_words(api: httpx.Client, text: str, name: str) -> None:
    assert best(api.get("/v1/search", params={"q": text})) == name
    assert best(api.post("/v1/search", json={"query": [{"text": text}]})) == name


def test_found_by_a_cropped_and_compressed_copy(api: httpx.Client, pictures: Path) -> None:
    out = BytesIO()
    with Image.open(pictures / "astronaut.png") as image:
        width, height = image.size
        image.convert("RGB").crop((40, 40, width - 40, height - 40)).save(out, "JPEG", quality=35)
    encoded = base64.b64encode(out.getvalue()).decode()

    assert best(api.post("/v1/search/image", files={"file": ("copy.jpg", out.getvalue())})) == "astronaut.png"
    assert best(api.post("/v1/search", json={"query": [{"image_base64": encoded}]})) == "astronaut.png"


def test_similar_leaves_the_picture_itself_out(api: httpx.Client) -> None:
    image_id = id_of(api, "chelsea.png")
    hits = api.get(f"/v1/images/{image_id}/similar").json()["hits"]

    assert len(hits) == len(PHOTOS) - 1
    assert image_id not in {hit["image"]["id"] for hit in hits}


def test_excluded_words_push_pictures_down(api: httpx.Client) -> None:
    def rank(query: str) -> int:
        hits = api.get("/v1/search", params={"q": query}).json()["hits"]
        return [name_of(hit["image"]) for hit in hits].index("chelsea.png")

    assert rank("a cat") == 0
    assert rank("an animal -cat") > 0


def test_pages_follow_each_other_and_cursors_belong_to_their_request(api: httpx.Client) -> None:
    first = api.get("/v1/search", params={"q": "a cat", "limit": 4}).json()
    second = api.get("/v1/search", params={"q": "a cat", "limit": 4, "cursor": first["next_cursor"]}).json()
    ids = [hit["image"]["id"] for page in (first, second) for hit in page["hits"]]
    assert len(set(ids)) == len(PHOTOS)
    assert second["next_cursor"] is None

    other = api.get("/v1/search", params={"q": "a dog", "limit": 4, "cursor": first["next_cursor"]})
    assert (other.status_code, other.json()["code"]) == (400, "cursor_mismatch")


def test_filters_narrow_a_search_and_a_listing(api: httpx.Client) -> None:
    jpeg = '{"field": "format", "eq": "jpeg"}'
    both = '{"all": [{"field": "tags", "any": ["sample"]}, {"not": {"field": "format", "eq": "jpeg"}}]}'

    hits = api.get("/v1/search", params={"q": "a cat", "filter": jpeg}).json()["hits"]
    assert [name_of(hit["image"]) for hit in hits] == ["rocket.jpg"]
    listed = api.get("/v1/images", params={"filter": both}).json()["items"]
    assert len(listed) == len(PHOTOS) - 1

    refused = api.get("/v1/search", params={"q": "a cat", "filter": '{"field": "nothing", "eq": 1}'})
    assert (refused.status_code, refused.json()["code"]) == (422, "field_not_indexed")
    assert "tags" in refused.json()["indexed_fields"]


def test_browse_pages_through_everything_once(api: httpx.Client) -> None:
    seen: list[str] = []
    cursor = None
    while True:
        page = api.get("/v1/images", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(PHOTOS)


def test_thumbnail_and_original(api: httpx.Client, pictures: Path) -> None:
    image = api.get(f"/v1/images/{id_of(api, 'rocket.jpg')}").json()

    thumbnail = api.get(image["thumbnail_url"])
    assert thumbnail.headers["content-type"] == "image/webp"
    with Image.open(BytesIO(thumbnail.content)) as small:
        assert max(small.size) == 384
    again = api.get(image["thumbnail_url"], headers={"If-None-Match": thumbnail.headers["etag"]})
    assert again.status_code == 304

    original = api.get(image["original_url"])
    assert original.headers["content-type"] == "image/jpeg"
    assert original.content == (pictures / "rocket.jpg").read_bytes()


def test_embeddings_are_unit_vectors_of_the_model_in_use(api: httpx.Client) -> None:
    model = api.get("/v1/model").json()
    answer = api.post("/v1/embeddings", json={"input": ["a cat", "a dog"], "model": model["name"]}).json()
    vectors = [one["embedding"] for one in answer["data"]]
    assert [len(vector) for vector in vectors] == [model["dimension"]] * 2
    assert all(abs(sum(x * x for x in vector) - 1) < 1e-4 for vector in vectors)

    packed = api.post("/v1/embeddings", json={"input": "a cat", "encoding_format": "base64"}).json()
    assert len(base64.b64decode(packed["data"][0]["embedding"])) == 4 * model["dimension"]


def test_starter_says_what_it_is(api: httpx.Client) -> None:
    model = api.get("/v1/model").json()
    assert model["name"] == "starter"
    assert "1,000 kinds" in model["notice"]


def test_second_time_indexes_and_encodes_nothing(stack: Any, pictures: Path) -> None:
    before = stack.api.get("/v1/stats").json()["collections"][0]["points"]
    indexed_at = {item["id"]: item["indexed_at"] for item in stack.api.get("/v1/images").json()["items"]}

    job = stack.ended_job(stack.ingest(pictures), within_s=60)

    assert job["counts"] | {"unchanged": len(PHOTOS), "indexed": 0} == job["counts"]
    assert stack.api.get("/v1/stats").json()["collections"][0]["points"] == before
    assert {
        item["id"]: item["indexed_at"] for item in stack.api.get("/v1/images").json()["items"]
    } == indexed_at


def test_uploads_wait_when_asked_and_same_bytes_are_one_point(stack: Any, photo_folder: Path) -> None:
    data = (photo_folder / "brick.png").read_bytes()
    files = [("files", ("wall.png", data)), ("files", ("mauer.png", data))]
    answer = stack.api.post(
        "/v1/images",
        files=files,
        data={"tags": ["wall"], "metadata": '[{"sku": "A"}, {"sku": "B"}]'},
        headers={"Prefer": "wait=30"},
        params={"collection": "uploads"},
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=30"
    job = answer.json()
    assert (job["counts"]["indexed"], job["counts"]["unchanged"]) == (1, 1)

    (image,) = stack.api.get("/v1/images", params={"collection": "uploads"}).json()["items"]
    assert {source["uri"] for source in image["sources"]} == {"upload:wall.png", "upload:mauer.png"}
    assert image["tags"] == ["wall"]
    assert image["metadata"] == {"sku": "A"}
    assert stack.api.get(image["original_url"]).content == data

    known = stack.api.post("/v1/images/known", json={"sha256": [image["sha256"]], "collection": "uploads"})
    assert known.json()["known"] == {image["sha256"]: image["id"]}

    assert stack.api.delete(f"/v1/images/{image['id']}", params={"collection": "uploads"}).status_code == 204
    for path in (
        f"/v1/images/{image['id']}?collection=uploads",
        image["thumbnail_url"],
        image["original_url"],
    ):
        assert stack.api.get(path).status_code == 404


def test_deleting_leaves_the_file_in_its_folder(stack: Any, pictures: Path, photo_folder: Path) -> None:
    (pictures / "extra").mkdir()
    extra = pictures / "extra" / "gravel.png"
    shutil.copyfile(photo_folder / "gravel.png", extra)
    stack.ended_job(stack.ingest(pictures / "extra"), within_s=60)
    image_id = id_of(stack.api, "gravel.png")

    assert stack.api.delete(f"/v1/images/{image_id}").status_code == 204

    assert extra.exists()
    assert stack.api.get(f"/v1/images/{image_id}").status_code == 404


def test_folder_that_may_not_be_imported_is_refused(api: httpx.Client) -> None:
    answer = api.post("/v1/ingest", json={"source": {"kind": "folder", "path": "/etc"}})
    assert (answer.status_code, answer.json()["code"]) == (403, "path_not_allowed")
