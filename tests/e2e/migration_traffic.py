"""People who search and upload while a collection is migrated, and what became of every request."""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self
from uuid import NAMESPACE_URL, uuid5

import httpx
import numpy as np
from PIL import Image

PER_SECOND = 5
MOST_OUTSTANDING = 25
"""Uploads of the last seconds that may wait to be indexed."""
WORDS = ("a cat", "ca", "t", "cat cat", "a")


def picture(number: int) -> bytes:
    """A small picture, by its number; no two are alike."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC).save(out, "JPEG", quality=80)
    return out.getvalue()


def id_of(data: bytes) -> str:
    return str(uuid5(NAMESPACE_URL, f"sha256:{sha256(data).hexdigest()}"))


def fill(folder: Path, pictures: int) -> set[str]:
    """Write pictures; the ids of their points."""
    folder.mkdir(parents=True)
    ids = set()
    for number in range(pictures):
        data = picture(number)
        (folder / f"{number:05}.jpg").write_bytes(data)
        ids.add(id_of(data))
    return ids


@dataclass
class Traffic:
    """Sends 5 searches and 5 uploads a second to all gateways in turn, as a proxy before them would.

    A request that finds a gateway dead goes to the next; any answer but 200 or 202 is a fault.
    """

    gateways: Sequence[httpx.Client]
    collection: str
    first_number: int
    searches: int = 0
    uploaded: set[str] = field(default_factory=set)
    jobs: list[str] = field(default_factory=list)
    spaces: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _stopping: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)
    _threads: list[Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for act in (self._search, self._upload):
            thread = Thread(target=self._keep_on, args=(act,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def _keep_on(self, act: Callable[[int], None]) -> None:
        number, due = 0, time.monotonic()
        while not self._stopping.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / PER_SECOND, time.monotonic() - 1)
            try:
                act(number)
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
            number += 1

    def _search(self, number: int) -> None:
        parameters = {"q": WORDS[number % len(WORDS)], "limit": 10, "collection": self.collection}
        answer = self._send(number, "GET", "/v1/search", params=parameters)
        if answer.status_code != 200:
            self.faults.append(f"search: {answer.status_code} {answer.text}")
            return
        body = answer.json()
        of_hits = {hit["image"]["model"]["space"] for hit in body["hits"]}
        if of_hits != {body["model"]["space"]}:
            self.faults.append(f"a query of {body['model']['space']} found points of {of_hits}")
        self.spaces |= of_hits
        self.searches += 1

    def _upload(self, number: int) -> None:
        if len(self.jobs) >= MOST_OUTSTANDING and not self._has_ended(number, self.jobs[-MOST_OUTSTANDING]):
            return  # This machine is slower than people are: they wait.
        data = picture(self.first_number + number)
        files = {"files": (f"{number}.jpg", data, "image/jpeg")}
        answer = self._send(number, "POST", "/v1/images", files=files, params={"collection": self.collection})
        if answer.status_code != 202:
            self.faults.append(f"upload: {answer.status_code} {answer.text}")
            return
        self.jobs.append(answer.json()["id"])
        self.uploaded.add(id_of(data))

    def _has_ended(self, number: int, job_id: str) -> bool:
        job = self._send(number, "GET", f"/v1/jobs/{job_id}").json()
        return job.get("finished_at") is not None

    def _send(self, number: int, method: str, path: str, **request: Any) -> httpx.Response:
        deadline = time.monotonic() + 60
        while True:
            for place in range(len(self.gateways)):
                gateway = self.gateways[(number + place) % len(self.gateways)]
                try:
                    return gateway.request(method, path, **request)
                except httpx.TransportError:
                    if time.monotonic() > deadline:
                        raise
