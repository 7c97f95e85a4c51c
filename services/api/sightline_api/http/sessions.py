"""Sessions: a key in exchange for a cookie, for pages cannot send headers with pictures and event streams.

A session is the id of a key and a time, signed with a secret made from the key: every gateway that knows the
key accepts it, none has to remember it, and changing or revoking the key ends it.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, TimestampSigner

COOKIE = "sightline_session"
LIFETIME = timedelta(days=7)


def new_session(key_id: str, secret: str) -> str:
    """A session of whoever has the key of that id, in characters that a cookie can hold."""
    return _signer(secret).sign(key_id).decode()


def claimed_key_id(session: str) -> str:
    """The id of the key that a session says it was opened with, which may not be true."""
    return session.partition(".")[0]


def is_session(session: str, key_id: str, secret: str) -> bool:
    """Whether this is a session that was opened with this key, and goes on."""
    try:
        signed, opened_at = _signer(secret).unsign(session, return_timestamp=True)
    except BadSignature:
        return False
    # The signer's own limit refuses what another machine signed whose clock is a second ahead.
    return signed == key_id.encode() and datetime.now(UTC) - opened_at <= LIFETIME


def _signer(secret: str) -> TimestampSigner:
    return TimestampSigner(
        secret, salt="sightline.session", key_derivation="hmac", digest_method=hashlib.sha256
    )
