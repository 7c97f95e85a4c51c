"""Who may call, from where, and what an address that others can reach demands."""

import secrets

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from sightline.errors import SettingsError
from sightline.settings import Settings
from sightline_api.app import create_app
from sightline_api.http.binding import check_bind


def test_key_opens_and_everything_else_does_not(settings: Settings) -> None:
    guarded = settings.model_copy(update={"api_key": SecretStr("right")})
    with TestClient(create_app(guarded)) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 200
        refused = client.get("/v1/model")
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "right" not in refused.text
        for headers in (
            {"Authorization": "Bearer wrong"},
            {"X-API-Key": "wrong"},
            {"Authorization": "right"},
        ):
            assert client.get("/v1/model", headers=headers).status_code == 401
        for headers in ({"Authorization": "Bearer right"}, {"X-API-Key": "right"}):
            assert client.get("/v1/model", headers=headers).status_code == 200


def test_host_of_another_site_is_refused(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("host", "fine"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_without_a_key_only_loopback_is_served(host: str, fine: bool) -> None:
    open_to_all = Settings(host=host)
    if fine:
        check_bind(open_to_all)
    else:
        with pytest.raises(SettingsError, match="SIGHTLINE_API_KEY"):
            check_bind(open_to_all)
    check_bind(Settings(host=host, api_key=SecretStr(secrets.token_hex())))
    check_bind(Settings(host=host, allow_anonymous=True))


@pytest.mark.parametrize(
    ("unsafe", "named"),
    [
        ({"api_key": SecretStr("")}, "SIGHTLINE_API_KEY is a placeholder"),
        ({"api_key": SecretStr("change-me-change-me")}, "SIGHTLINE_API_KEY is a placeholder"),
        ({"api_key": SecretStr("f3b9")}, "SIGHTLINE_API_KEY is short"),
        ({"qdrant_api_key": SecretStr("your-key")}, "SIGHTLINE_QDRANT_API_KEY is a placeholder"),
        ({"redis_url": "redis://:password@redis:6379/0"}, "SIGHTLINE_REDIS_URL is a placeholder"),
    ],
)
def test_others_are_not_served_with_secrets_anybody_could_guess(
    unsafe: dict[str, object], named: str
) -> None:
    safe = Settings(
        host="0.0.0.0",
        api_key=SecretStr(secrets.token_hex()),
        qdrant_api_key=SecretStr(secrets.token_hex()),
        redis_url=f"redis://:{secrets.token_hex()}@redis:6379/0",
    )
    check_bind(safe)
    with pytest.raises(SettingsError, match=named):
        check_bind(safe.model_copy(update=unsafe))
