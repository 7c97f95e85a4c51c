"""Connections go to the checked address, certificates are judged by the name."""

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hostile_site import PUBLIC, Network, Site

from sightline.errors import BadPicture, FailureReason
from sightline_embedder.fetching import Fetcher


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `pictures.test` and of the address 127.0.0.1, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pictures.test")])
    now = datetime.now(UTC)
    names = [x509.DNSName("pictures.test"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def asked_for() -> list[str | None]:
    """The names that clients asked for in TLS."""
    return []


@pytest.fixture
def site(certificate: Path, asked_for: list[str | None]) -> Iterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _, name, __: asked_for.append(name)
    site = Site(tls=context)
    site.routes["/a"] = lambda visit: visit.answer(b"a")
    yield site
    site.stop()


def test_name_is_what_tls_asks_for_and_judges(
    certificate: Path,
    make_fetcher: Callable[..., Fetcher],
    network: Network,
    site: Site,
    asked_for: list[str | None],
) -> None:
    fetcher = make_fetcher(trusting=ssl.create_default_context(cafile=str(certificate)))

    for _ in range(2):
        assert fetcher.fetch("https://pictures.test./a", 10).data == b"a"

    assert network.tried == [PUBLIC]
    assert asked_for == ["pictures.test"]
    assert site.connections == 1


def test_certificate_of_another_name_is_refused_at_once(
    certificate: Path, make_fetcher: Callable[..., Fetcher], site: Site
) -> None:
    fetcher = make_fetcher(trusting=ssl.create_default_context(cafile=str(certificate)))

    with pytest.raises(BadPicture, match=r"Hostname mismatch.*'other\.test'") as refused:
        fetcher.fetch("https://other.test/a", 10)

    assert refused.value.reason is FailureReason.FETCH_FAILED
    assert site.connections == 1
    assert site.visits == []


def test_certificate_of_nobody_known_is_refused(fetcher: Fetcher, site: Site) -> None:
    with pytest.raises(BadPicture, match="self-signed certificate"):
        fetcher.fetch("https://pictures.test/a", 10)
    assert site.visits == []


def test_plain_http_to_tls_is_no_answer(fetcher: Fetcher, site: Site) -> None:
    with pytest.raises(BadPicture) as refused:
        fetcher.fetch("http://pictures.test:443/a", 10)
    assert refused.value.reason is FailureReason.FETCH_FAILED
