"""Which addresses may be served: without a key, only those that this machine alone can reach."""

from ipaddress import ip_address

from sightline.errors import SettingsError
from sightline.settings import Settings


def check_bind(settings: Settings) -> None:
    """Refuse to serve anybody who can reach the machine without a key, unless that is wanted."""
    if settings.api_key is None and not settings.allow_anonymous and not _is_loopback(settings.host):
        raise SettingsError(
            f"SIGHTLINE_HOST is {settings.host}, which other machines can reach, and no key is set. Set "
            f"SIGHTLINE_API_KEY, or SIGHTLINE_ALLOW_ANONYMOUS=true if anybody may read and write."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
