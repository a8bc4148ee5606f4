"""How Vertex AI's credentials become an access token."""

from __future__ import annotations

import base64
import json
import sys
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric import rsa

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers import vertex_login
from llmgate.providers.vertex import VERTEX

USER = {
    "type": "authorized_user",
    "client_id": "c",
    "client_secret": "s&=",
    "refresh_token": "r",
    "quota_project_id": "q",
}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    """Return *key* as a key file has it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def account(private_key: str) -> dict[str, str]:
    return {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k1",
        "private_key": private_key,
        "client_email": "me@p.iam.gserviceaccount.com",
        "token_uri": "https://sts.example/token",
    }


def called(credentials: Any, **over: Any) -> Call:
    settings = {"vertex_credentials": credentials}
    assert VERTEX.login is not None
    return VERTEX.login.call(Deployment("g", "vertex_ai", "m", "x", settings=settings, **over))


def unpacked(part: bytes) -> bytes:
    """Return what *part* of a JSON web token says."""
    return base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def test_a_service_account_signs_who_it_is_and_google_is_asked(key: rsa.RSAPrivateKey) -> None:
    got = called(account(pem(key)))

    assert (got.method, got.url) == ("POST", "https://sts.example/token")
    assert got.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    form = parse_qs(bytes(got.data))
    assert form[b"grant_type"] == [b"urn:ietf:params:oauth:grant-type:jwt-bearer"]
    said, signature = form[b"assertion"][0].rsplit(b".", 1)
    header, claims = (json.loads(unpacked(part)) for part in said.split(b"."))
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert claims["exp"] - claims["iat"] == 3600
    key.public_key().verify(unpacked(signature), said, padding.PKCS1v15(), hashes.SHA256())


def test_an_assertion_says_who_for_what_and_until_when() -> None:
    found = account("unused")

    got = vertex_login.assertion(found, 1_700_000_000.9, lambda said: b"\xff" * 3)

    header, claims, signature = got.encode().split(b".")
    assert json.loads(unpacked(claims)) == {
        "iss": "me@p.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://sts.example/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    assert (json.loads(unpacked(header))["alg"], signature) == ("RS256", b"____")


@pytest.mark.parametrize("over", [{"has_client_key": True}, {"origin": "client"}])
def test_the_address_in_a_clients_credentials_is_not_called(
    key: rsa.RSAPrivateKey, over: dict[str, Any]
) -> None:
    got = called(account(pem(key)), **over)

    claims = parse_qs(bytes(got.data))[b"assertion"][0].split(b".")[1]
    assert got.url == "https://oauth2.googleapis.com/token"
    assert json.loads(unpacked(claims))["aud"] == "https://oauth2.googleapis.com/token"


def test_credentials_without_an_address_are_googles() -> None:
    assert called(USER).url == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("credentials", [USER, json.dumps(USER)])
def test_a_user_who_logged_in_needs_no_signature(credentials: Any) -> None:
    got = called(credentials)

    assert parse_qs(bytes(got.data).decode()) == {
        "grant_type": ["refresh_token"],
        "client_id": ["c"],
        "client_secret": ["s&="],
        "refresh_token": ["r"],
    }


def test_googles_answer_has_the_token_and_its_life() -> None:
    answer = {"access_token": "ya29.x", "expires_in": 3599, "token_type": "Bearer"}

    assert vertex_login.token(answer) == ("ya29.x", 3599.0)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, None),
        ({"vertex_credentials": {"project_id": "p"}}, "p"),
        ({"vertex_credentials": json.dumps(USER)}, "q"),
        ({"vertex_credentials": {"project_id": 7}}, None),
    ],
)
def test_credentials_may_name_a_project(settings: Any, wanted: str | None) -> None:
    assert vertex_login.project(settings) == wanted


@pytest.mark.parametrize(
    "credentials",
    [
        "/run/secrets/key.json",
        "[1]",
        5,
        None,
        {},
        {"type": "external_account"},
        {"type": "authorized_user", "client_id": "secret-1"},
        {"type": "service_account", "client_email": "secret-1"},
        account("secret-1 is no PEM"),
    ],
)
def test_credentials_that_cannot_be_used_are_an_error_that_hides_them(credentials: Any) -> None:
    with pytest.raises(errors.GateError) as caught:
        called(credentials)

    assert caught.value.code == "bad_provider_credentials"
    assert "secret-1" not in caught.value.message
    assert "vertex_access_token" in caught.value.message


def test_a_key_that_is_not_of_rsa_is_an_error() -> None:
    with pytest.raises(errors.GateError, match="not of RSA"):
        called(account(pem(ed25519.Ed25519PrivateKey.generate())))


def test_a_key_under_a_password_is_an_error(key: rsa.RSAPrivateKey) -> None:
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    ).decode()

    with pytest.raises(errors.GateError, match="cannot be read"):
        called(account(locked))


def test_without_a_signer_the_error_says_what_to_install(
    key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)

    with pytest.raises(errors.GateError) as caught:
        called(account(pem(key)))

    assert caught.value.code == "missing_dependency"
    assert "llmgate[vertex]" in caught.value.message


@pytest.mark.parametrize(
    ("over", "wanted"),
    [
        ({}, True),
        ({"api_key": "AIza"}, False),
        ({"settings": {"vertex_access_token": "t"}}, False),
    ],
)
def test_a_login_is_needed_without_a_token(over: Any, wanted: bool) -> None:
    deployment = Deployment("g", "vertex_ai", "gemini-2.5-pro", "https://x", **over)

    assert vertex_login.LOGIN.needed(deployment) == wanted
