"""Which addresses may be served: without a key, only those that this machine alone can reach."""

import re
from collections.abc import Iterator
from ipaddress import ip_address

from sightline.errors import SettingsError
from sightline.queue.addresses import parse_redis_url
from sightline.settings import Settings

MIN_KEY_CHARACTERS = 16
_PLACEHOLDER = re.compile(r"change|replace|example|placeholder|secret|password|your|^$", re.IGNORECASE)


def check_bind(settings: Settings) -> None:
    """Refuse to serve anybody who can reach the machine without a key, unless that is wanted.

    Raises SettingsError; also for a key that can be guessed, and for secrets that were copied from
    an example.
    """
    if settings.allow_anonymous or _is_loopback(settings.host):
        return
    if settings.api_key is None:
        raise SettingsError(
            f"SIGHTLINE_HOST is {settings.host}, which other machines can reach, and no key is set. Set "
            f"SIGHTLINE_API_KEY, or SIGHTLINE_ALLOW_ANONYMOUS=true if anybody may read and write."
        )
    for name, secret in _secrets(settings):
        if _PLACEHOLDER.search(secret):
            raise SettingsError(f"{name} is a placeholder; set one of its own, at random.")
    if len(settings.api_key.get_secret_value()) < MIN_KEY_CHARACTERS:
        raise SettingsError(
            f"SIGHTLINE_API_KEY is short enough to be guessed; make it at random, of {MIN_KEY_CHARACTERS} "
            f"characters or more."
        )


def _secrets(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.api_key is not None:
        yield "SIGHTLINE_API_KEY", settings.api_key.get_secret_value()
    if settings.qdrant_api_key is not None:
        yield "SIGHTLINE_QDRANT_API_KEY", settings.qdrant_api_key.get_secret_value()
    if settings.redis_url is not None and (password := parse_redis_url(settings.redis_url).password):
        yield "The password in SIGHTLINE_REDIS_URL", password


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
