"""Keys of AWS by the real botocore, from fakes of its services."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from testing.inprocess import client_of
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import json_answer

from llmgate import config
from llmgate import errors
from llmgate import logins
from llmgate.contract import Deployment
from llmgate.errors import ConfigError
from llmgate.logins import aws
from llmgate.providers import PROVIDERS

ROLE = "arn:aws:iam::123456789012:role/gate"
STS = "https://sts.amazonaws.com/doc/2011-06-15/"
END = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


def sts(action: str) -> Answer:
    """Return the answer of STS to *action*."""
    text = f"""<{action}Response xmlns="{STS}"><{action}Result><Credentials>
        <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
        <SessionToken>t</SessionToken><Expiration>{END}</Expiration></Credentials>
        </{action}Result></{action}Response>"""
    return answer([text.encode()], headers={"content-type": "text/xml"})


def deployment(**settings: Any) -> Deployment:
    return Deployment("g", "bedrock", "m", "http://x", settings=settings)


def key(**settings: Any) -> str:
    """Return the access key of the login; it lasts about an hour."""
    found = aws.log_in(deployment(**settings))
    assert 0 < found.seconds <= 3600  # the hour began when the tests did
    return str(found.settings["aws_access_key_id"])


def forms(up: Upstream) -> list[str]:
    return [seen.body.decode() for seen in up.requests]


OWN = {"aws_access_key_id": "AKIAOWN", "aws_secret_access_key": "s"}


def test_a_role_is_assumed_with_the_keys_of_the_deployment(upstream: Upstream) -> None:
    upstream.plays(sts("AssumeRole"))
    given = {"aws_role_name": ROLE, "aws_session_name": "me", "aws_external_id": "e-1"}

    assert key(**OWN, **given, aws_sts_endpoint=upstream.url) == "ASIAROLE"

    (form,) = forms(upstream)
    assert "RoleSessionName=me" in form
    assert "ExternalId=e-1" in form
    assert "Credential=AKIAOWN/" in upstream.requests[0].headers["authorization"]


def test_a_web_identity_is_read_from_its_file_each_time(upstream: Upstream, tmp_path: Path) -> None:
    upstream.plays(sts("AssumeRoleWithWebIdentity"))
    file = tmp_path / "token"
    given = {"aws_role_name": ROLE, "aws_web_identity_token": str(file)}

    for token in ("first", "second"):
        file.write_text(token)
        assert key(**given, aws_sts_endpoint=upstream.url) == "ASIAROLE"

    assert "WebIdentityToken=first" in forms(upstream)[0]
    assert "WebIdentityToken=second" in forms(upstream)[1]
    assert "authorization" not in upstream.requests[0].headers


def test_the_service_account_of_a_pod_logs_in(
    upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.plays(sts("AssumeRoleWithWebIdentity"))
    (tmp_path / "token").write_text("irsa")
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", upstream.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert aws.finds_credentials({})
    assert key() == "ASIAROLE"
    assert "WebIdentityToken=irsa" in forms(upstream)[0]


def test_a_container_logs_in(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.plays(
        json_answer(
            {"AccessKeyId": "ASIAECS", "SecretAccessKey": "s", "Token": "t", "Expiration": END}
        )
    )
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{upstream.url}/creds")

    assert aws.finds_credentials({})
    assert key() == "ASIAECS"


def metadata(seen: Seen) -> Answer:
    """Answer as the metadata service of an instance."""
    if seen.method == "PUT":
        return answer([b"imds-token"], headers={"content-type": "text/plain"})
    assert seen.headers["x-aws-ec2-metadata-token"] == "imds-token"
    if seen.path.endswith("/security-credentials/"):
        return answer([b"my-role"], headers={"content-type": "text/plain"})
    return json_answer(
        {
            "Code": "Success",
            "AccessKeyId": "ASIAEC2",
            "SecretAccessKey": "s",
            "Token": "t",
            "Expiration": END,
        }
    )


def test_an_instance_logs_in(upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    upstream.answers = metadata
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", upstream.url)

    assert aws.finds_credentials({})
    assert key() == "ASIAEC2"


def test_a_machine_of_ec2_is_recognized_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "vendor").write_text("Amazon EC2\n")
    monkeypatch.setattr(aws, "_MACHINE", {tmp_path / "none": "x", tmp_path / "vendor": "Amazon"})

    assert not aws.finds_credentials({})
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    assert aws.finds_credentials({})
    (tmp_path / "vendor").write_text("Other")
    assert not aws.finds_credentials({})


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that writes ~/.aws/config."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return lambda text: (tmp_path / "config").write_text(text) and None


def test_a_profile_has_keys_and_a_region(profiles: Callable[[str], None]) -> None:
    profiles(
        "[profile p]\naws_access_key_id = AKIAP\naws_secret_access_key = s\nregion = eu-west-3\n"
    )

    found = aws.log_in(deployment(**OWN, aws_profile_name="p"))
    assert found.settings["aws_access_key_id"] == "AKIAP"
    assert found.seconds == 900
    assert aws.completed({"aws_profile_name": "p"})["aws_region_name"] == "eu-west-3"
    own = {"aws_profile_name": "p", "aws_region_name": "us-east-1"}
    assert aws.completed(own) == own


def test_a_profile_may_assume_a_role(
    profiles: Callable[[str], None], upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.plays(sts("AssumeRole"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", upstream.url)
    profiles(
        "[profile base]\naws_access_key_id = AKIAB\naws_secret_access_key = s\nregion = eu-west-1\n"
        f"[profile p]\nrole_arn = {ROLE}\nsource_profile = base\nregion = eu-west-1\n"
    )

    assert key(aws_profile_name="p") == "ASIAROLE"
    assert "Credential=AKIAB/" in upstream.requests[0].headers["authorization"]


def test_a_profile_may_use_sso(
    profiles: Callable[[str], None],
    upstream: Upstream,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSO", upstream.url)
    profiles(
        "[profile p]\nsso_start_url = https://d.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 123456789012\nsso_role_name = r\nregion = eu-west-1\n"
    )
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    monkeypatch.setattr("botocore.credentials.SSOProvider._SSO_TOKEN_CACHE_DIR", str(cache))
    name = hashlib.sha1(b"https://d.awsapps.com/start").hexdigest()
    (cache / f"{name}.json").write_text(
        json.dumps({"accessToken": "sso-token", "expiresAt": END, "startUrl": "x", "region": "y"})
    )
    made = {"accessKeyId": "ASIASSO", "secretAccessKey": "s", "sessionToken": "t"}
    end = int((datetime.now(UTC) + timedelta(hours=1)).timestamp() * 1000)
    upstream.plays(json_answer({"roleCredentials": {**made, "expiration": end}}))

    assert key(aws_profile_name="p") == "ASIASSO"
    assert upstream.requests[0].headers["x-amz-sso_bearer_token"] == "sso-token"


def test_a_refusal_of_sts_is_the_operators_fault(upstream: Upstream) -> None:
    text = f'<ErrorResponse xmlns="{STS}"><Error><Code>AccessDenied</Code></Error></ErrorResponse>'
    upstream.plays(answer([text.encode()], status=403, headers={"content-type": "text/xml"}))

    with pytest.raises(errors.UpstreamError, match=r"\(AccessDenied\)") as caught:
        aws.log_in(deployment(**OWN, aws_role_name=ROLE, aws_sts_endpoint=upstream.url))

    assert (caught.value.status, caught.value.code) == (401, "login_failed")


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(errors.Unauthorized, match="nor the machine's role has any"):
        aws.log_in(deployment())
    with pytest.raises(errors.BadUpstream, match="FileNotFoundError"):
        aws.log_in(deployment(aws_role_name=ROLE, aws_web_identity_token="/nowhere"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"aws_profile_name": "nobody"},
            "aws_profile_name: no AWS credentials: The config profile .nobody. could not",
        ),
        ({"aws_web_identity_token": "/t"}, "aws_web_identity_token: .*needs aws_role_name beside"),
        (
            {"aws_role_name": ROLE, "aws_web_identity_token": "oidc/x"},
            "aws_role_name: oidc/ is not supported",
        ),
    ],
)
def test_settings_that_cannot_work_stop_the_start(given: Any, message: str) -> None:
    with pytest.raises(
        ConfigError, match=f"litellm_params.{message}" if ":" in message else message
    ):
        logins.completed(PROVIDERS["bedrock"].login, given, "litellm_params.")


def configured(tmp_path: Path, **params: Any) -> config.Settings:
    path = tmp_path / "config.yaml"
    entry = {"model_name": "g", "litellm_params": {"model": "bedrock/amazon.nova-lite-v1:0"}}
    entry["litellm_params"] |= params  # type: ignore[operator]
    path.write_text(json.dumps({"model_list": [entry]}))
    return config.load(str(path), {})


def test_without_the_extra_a_role_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ConfigError, match="aws_role_name: needs an extra package"):
        configured(tmp_path, aws_role_name=ROLE)
    settings = configured(tmp_path)
    assert "pip install 'llmgate[aws]'" in settings.warnings[0]
    with pytest.raises(errors.Unauthorized, match=r"pip install 'llmgate\[aws\]'"):
        logins.log_ins()["aws"](deployment())


def test_a_deployment_with_a_role_has_a_key(tmp_path: Path) -> None:
    (role,) = configured(tmp_path, aws_role_name=ROLE).routes.groups["g"]
    (none,) = configured(tmp_path).routes.groups["g"]

    assert role.has_key
    assert not none.has_key


def test_no_client_gets_the_keys_of_the_gateway() -> None:
    login = PROVIDERS["bedrock"].login
    assert login

    assert login.needed(deployment(aws_role_name=ROLE, **OWN))
    assert not login.needed(deployment(aws_role_name=ROLE)._replace(has_client_key=True))
    assert not login.needed(deployment()._replace(origin="client"))
    assert not login.needed(deployment(**OWN))
    assert not login.needed(deployment()._replace(api_key="bearer"))


def test_a_chat_is_signed_with_the_keys_of_the_role(upstream: Upstream, tmp_path: Path) -> None:
    reply = {"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}}
    reply |= {"stopReason": "end_turn", "usage": {"inputTokens": 1, "outputTokens": 1}}  # type: ignore[dict-item]
    own = {"model": "bedrock/amazon.nova-lite-v1:0", "api_base": upstream.url, **OWN}
    own |= {"aws_role_name": ROLE, "aws_sts_endpoint": upstream.url}
    client = client_of(tmp_path, {"model_list": [{"model_name": "g", "litellm_params": own}]}, {})
    upstream.plays(sts("AssumeRole"), json_answer(reply))
    body = {"model": "g", "messages": [{"role": "user", "content": "Hi"}]}

    for _ in range(2):
        assert client.post("/v1/chat/completions", json=body).status_code == 200

    assert len(upstream.requests) == 3
    for seen in upstream.requests[1:]:
        assert "Credential=ASIAROLE/" in seen.headers["authorization"]
        assert seen.headers["x-amz-security-token"] == "t"
