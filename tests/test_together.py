"""What was read at once is written at once; nothing that could go waits for the upstream."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from testing import wires
from testing.answers import HANG
from testing.answers import Answer
from testing.answers import Send
from testing.upstream import Upstream

from llmgate import errors
from llmgate.pipeline import response

BODIES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    "/v1/responses": {"input": "Hi"},
}
NATIVE = [("/v1/messages", name) for name in ("anthropic", "vertex-claude", "bedrock")]
PATHS = [(path, name) for path in BODIES for name in wires.WIRES if (path, name) not in NATIVE]


@pytest.fixture
def client(upstream: Upstream, shared_app_for: Callable[..., FlaskClient]) -> FlaskClient:
    given = {"model_list": wires.deployments(upstream), "router_settings": {"num_retries": 0}}
    return shared_app_for({**given, "litellm_settings": {"request_timeout": 5}})


def blocks(client: FlaskClient, path: str, name: str) -> Iterator[bytes]:
    """Yield a stream's blocks as they come."""
    reply = client.post(path, json={"model": name, "stream": True, **BODIES[path]})
    assert reply.status_code == 200, reply.data
    with reply:
        yield from reply.iter_encoded()


@pytest.mark.parametrize(("path", "name"), PATHS)
def test_events_that_came_at_once_are_written_at_once(
    client: FlaskClient, upstream: Upstream, path: str, name: str
) -> None:
    upstream.plays(wires.WIRES[name].stream)

    got = list(blocks(client, path, name))

    assert len(got) <= 3  # reads of the upstream, and the end
    assert b"".join(got).count(b"data: ") > 3


@pytest.mark.parametrize(("path", "name"), [each for each in PATHS if each[1] != "sagemaker"])
def test_nothing_is_held_back_while_the_upstream_is_silent(
    client: FlaskClient, upstream: Upstream, path: str, name: str
) -> None:
    head, *said = (step.data for step in wires.WIRES[name].stream.steps if isinstance(step, Send))
    upstream.plays(Answer((Send(head), Send(b"".join(said)[:-20]), HANG)))

    first = next(blocks(client, path, name))

    assert first.count(b"data: ") > 1


def test_an_error_comes_after_what_was_said_before_it() -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b"a", b"b")
        raise errors.CutShort("cut")

    got = response._together(pieces())

    assert next(got) == b"ab"
    with pytest.raises(errors.CutShort):
        next(got)


def test_what_waits_has_a_bound() -> None:
    got = list(response._together([b"x" * 40_000] * 5))

    assert [len(block) for block in got] == [80_000, 80_000, 40_000]
