"""`sightline demo`: the whole path on sample pictures, with the results printed."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from PIL import Image
from rich.console import Console

from sightline.logs import configure_logging
from sightline.settings import Settings, read_settings
from sightline_local.client import ApiClient
from sightline_local.commands.index import start_jobs
from sightline_local.commands.job_progress import follow_jobs
from sightline_local.commands.options import DEFAULT_DATA, AsJson
from sightline_local.commands.output import print_json, print_table, source_name
from sightline_local.samples import copy_samples

COLLECTION = "demo"
QUERIES = (
    "a cat",
    "a cup of coffee",
    "a rocket",
    "the moon",
    "coins",
    "a horse",
    "a motorcycle",
    "a clock",
    "a temple",
    "a photographer with a camera",
)
SHOWN = 3
CROPPED = "chelsea.png"


def demo(
    data: Annotated[Path, typer.Option(help="Folder for everything that is kept.")] = DEFAULT_DATA,
    json: AsJson = False,
) -> None:
    """Index sample pictures through the queue, then search them by words, by a picture and by likeness."""
    settings = read_settings().model_copy(update={"port": free_port(), "log_level": "warning"})
    configure_logging(settings.log_level, "demo")
    photos = copy_samples(data.expanduser().resolve() / "samples")
    with _running(settings, data, photos) as api:
        results = _index(api, photos, quiet=json) | _searches(api, photos)
    print_json(results) if json else _print(results)


@contextmanager
def _running(settings: Settings, data: Path, photos: Path) -> Iterator[ApiClient]:
    from sightline_local.running import new_stack
    from sightline_local.stack import base_url

    with new_stack(settings, data, [photos]) as stack:
        stack.start()
        key = settings.api_key.get_secret_value() if settings.api_key else None
        yield ApiClient(base_url(settings.host, settings.port), key)


def _index(api: ApiClient, photos: Path, *, quiet: bool) -> dict[str, Any]:
    jobs = list(start_jobs(api, photos, [], COLLECTION))
    ended = follow_jobs(api, [job["id"] for job in jobs], quiet=quiet)
    return {"model": api.get("/v1/model"), "jobs": ended}


def _searches(api: ApiClient, photos: Path) -> dict[str, Any]:
    common = {"limit": SHOWN, "collection": COLLECTION}
    texts = {text: _hits(api.get("/v1/search", {"q": text, **common})) for text in QUERIES}
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.jpg"
        copy.write_bytes(_cropped_and_compressed(photos / CROPPED))
        by_copy = _hits(api.upload_one(f"/v1/search/image?collection={COLLECTION}", copy, {"limit": SHOWN}))
    likeness = api.get(f"/v1/images/{by_copy[0]['id']}/similar", common)
    return {"texts": texts, "by_copy": by_copy, "similar": _hits(likeness)}


def _cropped_and_compressed(path: Path) -> bytes:
    with Image.open(path) as image:
        width, height = image.size
        box = (width // 10, height // 10, width - width // 10, height - height // 10)
        out = BytesIO()
        image.convert("RGB").crop(box).save(out, "JPEG", quality=40)
    return out.getvalue()


def _hits(response: Any) -> list[dict[str, Any]]:
    return [
        {
            "picture": Path(source_name(hit["image"]["sources"])).name,
            "score": round(hit["score"], 3),
            "id": hit["image"]["id"],
        }
        for hit in response["hits"]
    ]


def _print(results: dict[str, Any]) -> None:
    console = Console()
    model = results["model"]
    console.print(f"\nmodel {model['name']} ({model['dimension']} dimensions, {model['numerics']})")
    if model["notice"]:
        console.print(f"[yellow]{model['notice']}")
    searches = results["texts"] | {
        f"(a cropped, re-compressed copy of {CROPPED})": results["by_copy"],
        f"(more like {results['by_copy'][0]['picture']})": results["similar"],
    }
    print_table(
        ("query", *(f"rank {rank}" for rank in range(1, SHOWN + 1))),
        [
            (query, *(f"{Path(hit['picture']).stem} {hit['score']:.2f}" for hit in hits))
            for query, hits in searches.items()
        ],
    )


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
