"""The page in a real browser, over what really serves it."""

import os
import shutil
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn
from browser import MISSING, browser_path, running_browser
from fastapi import FastAPI
from photo_collection import METADATA_FIELDS, Photos, describe, make_photos
from playwright.sync_api import Browser
from visit import Visit

from sightline_api.routes import page as page_routes

OpenVisit = Callable[..., Visit]


# A module's own: its event loop would be in the way of tests that run one in the same thread.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = browser_path()
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with running_browser(program) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[OpenVisit]:
    """`visit(origin, **options)`: a Visit; at its end it must have kept to its origin and broken nothing."""
    begun: list[Visit] = []

    def begin(origin: str, **options: Any) -> Visit:
        begun.append(Visit.begin(browser, origin, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.end()


@pytest.fixture(scope="session")
def page_files() -> Iterator[str]:
    """The address of the page's files alone, served as the API serves them."""
    app = FastAPI()
    app.include_router(page_routes.router)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    serving = Thread(target=server.run)
    serving.start()
    while not server.started:
        assert serving.is_alive(), "the page's files are not served"
        serving.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    serving.join()


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """Real photos, with dates of their own."""
    return make_photos(tmp_path_factory.mktemp("pictures") / "photos")


@pytest.fixture(scope="session")
def sightline(run_stack: Any, photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A stack that has the photos; tests that change pictures do so in a collection of their own."""
    roots = photos.folder.parent
    environment = {"SIGHTLINE_METADATA_FIELDS": METADATA_FIELDS, "SIGHTLINE_BATCH_PICTURES": "8"}
    with run_stack(tmp_path_factory.mktemp("data"), roots, environment=environment) as stack:
        job = stack.ended_job(stack.ingest(photos.folder), within_s=300)
        assert job["counts"]["indexed"] == photos.count
        describe(stack.api)
        yield stack


@pytest.fixture
def api(sightline: Any) -> httpx.Client:
    client: httpx.Client = sightline.api
    return client


@pytest.fixture
def opened(visit: OpenVisit, sightline: Any) -> OpenVisit:
    """`opened(address, **options)`: a Visit to an address of the stack that has the photos."""

    def open_at(address: str = "/", **options: Any) -> Visit:
        return visit(str(sightline.api.base_url).rstrip("/"), **options).open(address)

    return open_at


@pytest.fixture
def fill(sightline: Any, photos: Photos) -> Callable[..., str]:
    """`fill(*names)`: a new collection that has these photos; its name."""
    collection = f"own-{uuid4().hex[:12]}"

    def filled(*names: str) -> str:
        folder = photos.folder.parent / collection
        folder.mkdir()
        for name in names:
            shutil.copy2(photos.folder / name, folder / name)
        job = sightline.ended_job(sightline.ingest(folder, collection=collection), within_s=60)
        assert job["counts"]["indexed"] == len(names), job
        return collection

    return filled
