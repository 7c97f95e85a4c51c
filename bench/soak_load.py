"""What people and programs do with a running Sightline, all at once, and what they remember of it."""

import io
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import numpy as np
from PIL import Image

KEPT_PICTURES = 2_000
"""Once there are more, the oldest are deleted: what grows then is not the collection."""
UPLOAD_PICTURES = 20
MOST_WAITING = 10
"""Uploads that may wait to be indexed: else a slow machine is only ever further behind."""
BROKEN = 0.05
"""Of what is uploaded: bytes that are no picture."""
_WORDS = (
    "red",
    "green",
    "blue",
    "striped",
    "dark",
    "bright",
    "noise",
    "a cat",
    "a cup",
    "a wall",
    "a street",
)
_PAUSES_S = {"search": 0.2, "look": 1.0, "upload": 1.0, "tidy": 1.0, "admit": 2.0}
_EXPECTED = {200, 201, 202, 204, 404, 429}
"""404: somebody looks at what was deleted since it was listed. 429: more came than is served at a time."""


@dataclass
class Memory:
    """What happened. `pictures` are those that were indexed and not deleted, oldest first."""

    latencies_ms: deque[tuple[float, float]] = field(default_factory=deque)
    """Of searches: when one was sent (seconds since the start), and how long it took."""
    statuses: Counter[int] = field(default_factory=Counter)
    pictures: deque[str] = field(default_factory=deque)
    sound: int = 0
    broken: int = 0
    deleted: int = 0
    jobs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Load:
    """Searches, looks, uploads, deletions and keys that come and go, each in a thread of its own, until it
    is stopped. `key` is an admin's.
    """

    def __init__(self, url: str, key: str, seed: int) -> None:
        self.memory = Memory()
        self._key = key
        self._url = url
        self._seed = seed
        self._started = time.monotonic()
        self._stopping = threading.Event()
        acts = {
            "search": self._search,
            "look": self._look,
            "upload": self._upload,
            "tidy": self._tidy,
            "admit": self._admit,
        }
        self._threads = [threading.Thread(target=self._repeat, args=item) for item in acts.items()]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End when what is under way has been answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, name: str, act: Callable[[httpx.Client, random.Random], None]) -> None:
        chance = random.Random(f"{self._seed}/{name}")
        with httpx.Client(
            base_url=self._url,
            headers=having(self._key),
            timeout=60,
            event_hooks={"response": [self._note]},
        ) as api:
            while not self._stopping.wait(_PAUSES_S[name] * chance.uniform(0.5, 1.5)):
                try:
                    act(api, chance)
                except httpx.HTTPError as error:
                    self.memory.faults.append(f"{name}: {error!r}")

    def _note(self, answer: httpx.Response) -> None:
        self.memory.statuses[answer.status_code] += 1
        revoked = answer.request.extensions.get("revoked", False)
        if answer.status_code not in ({httpx.codes.UNAUTHORIZED} if revoked else _EXPECTED):
            answer.read()
            about = f"{answer.status_code} {answer.text[:300]}"
            self.memory.faults.append(f"{answer.request.method} {answer.url}: {about}")

    def _search(self, api: httpx.Client, chance: random.Random) -> None:
        words = " ".join(chance.sample(_WORDS, 2))
        sent = time.monotonic()
        api.get("/v1/search", params={"q": f"{words} {chance.randrange(1000)}", "limit": 20})
        self.memory.latencies_ms.append((sent - self._started, (time.monotonic() - sent) * 1000))

    def _look(self, api: httpx.Client, chance: random.Random) -> None:
        """What the page does: browse, filter, open a picture, follow a job."""
        page = api.get("/v1/images", params={"limit": 50}).json()
        api.get("/v1/facets", params={"field": "tags"})
        api.post("/v1/search/image", files={"file": _picture(chance)})
        for image in page.get("items", [])[:5]:
            api.get(image["thumbnail_url"])
            api.get(f"/v1/images/{image['id']}/similar", params={"limit": 5})
        if self.memory.jobs:
            with api.stream("GET", f"/v1/jobs/{self.memory.jobs[-1]}/events") as events:
                next(events.iter_lines(), None)

    def _upload(self, api: httpx.Client, chance: random.Random) -> None:
        if len(self.memory.jobs) >= MOST_WAITING:
            oldest = api.get(f"/v1/jobs/{self.memory.jobs[-MOST_WAITING]}").json()
            if oldest["finished_at"] is None:
                return
        broken = [chance.random() < BROKEN for _ in range(UPLOAD_PICTURES)]
        files = [
            ("files", (f"{number}.jpg", chance.randbytes(200) if bad else _picture(chance)))
            for number, bad in enumerate(broken)
        ]
        answer = api.post("/v1/images", files=files, data={"tags": [f"tag-{chance.randrange(20)}"]})
        if answer.status_code == httpx.codes.ACCEPTED:
            self.memory.jobs.append(answer.json()["id"])
            self.memory.broken += sum(broken)
            self.memory.sound += len(broken) - sum(broken)

    def _tidy(self, api: httpx.Client, chance: random.Random) -> None:
        """Delete the oldest pictures above those that are kept, and change the tags of one."""
        oldest = api.get("/v1/images", params={"limit": 50, "sort": "indexed_at"}).json().get("items", [])
        present = sum(one["points"] for one in api.get("/v1/stats").json()["collections"])
        for image in oldest[: max(present - KEPT_PICTURES, 0)]:
            deleted = api.delete(f"/v1/images/{image['id']}").status_code == httpx.codes.NO_CONTENT
            self.memory.deleted += deleted
        if oldest:
            api.patch(f"/v1/images/{oldest[-1]['id']}", json={"tags": [f"tag-{chance.randrange(20)}"]})

    def _admit(self, api: httpx.Client, chance: random.Random) -> None:
        """Make a key, search with it, and revoke it: from then on it opens nothing."""
        terms = {"name": f"soak {chance.randrange(1000)}", "scope": "read", "rate_limit": "600/minute"}
        made = api.post("/v1/keys", json=terms).raise_for_status().json()
        params, headers = {"q": "a cat"}, having(made["key"])
        api.get("/v1/search", params=params, headers=headers)
        api.delete(f"/v1/keys/{made['id']}")
        api.get("/v1/search", params=params, headers=headers, extensions={"revoked": True})


def having(key: str) -> dict[str, str]:
    """The header that shows a key."""
    return {"Authorization": f"Bearer {key}"}


def _picture(chance: random.Random) -> bytes:
    """A JPEG that is like no other."""
    noise = np.random.default_rng(chance.getrandbits(64)).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC).save(out, "JPEG", quality=85)
    return out.getvalue()
