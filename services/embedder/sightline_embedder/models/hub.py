"""Is a model of the hub at hand? Answered before torch is imported, in seconds."""

import os
from queue import Empty, SimpleQueue
from threading import Thread

import httpx
from huggingface_hub import constants, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

_PROBE_S = 3.0
_MARKERS = ("modules.json", "config.json")


def repository(name: str) -> str:
    """The hub repository that sentence-transformers means by `name`."""
    return name if "/" in name else f"sentence-transformers/{name}"


def is_cached(name: str) -> bool:
    """Whether the local cache of the hub holds (at least the beginning of) the model."""
    try:
        found = [try_to_load_from_cache(repository(name), marker) for marker in _MARKERS]
    except HFValidationError:
        return False
    return any(isinstance(path, str) for path in found)


def hub_has(name: str) -> bool:
    """Whether the hub answers within 3 seconds and has the model; False when told to stay offline, and
    for a name that cannot be one of the hub."""
    if name.count("/") > 1 or os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        return False
    answers: SimpleQueue[bool] = SimpleQueue()
    # In a thread: looking a host's name up has no time limit of its own.
    Thread(target=lambda: answers.put(_asks_hub(name)), name="hub-probe", daemon=True).start()
    try:
        return answers.get(timeout=_PROBE_S)
    except Empty:
        return False


def _asks_hub(name: str) -> bool:
    try:
        answer = httpx.get(f"{constants.ENDPOINT}/api/models/{repository(name)}", timeout=_PROBE_S)
    except httpx.HTTPError:
        return False
    return answer.is_success
