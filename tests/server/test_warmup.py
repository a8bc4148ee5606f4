from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from testing.inprocess import request_log
from testing.upstream import Upstream

from llmgate import config
from llmgate import create_app
from llmgate.config.deployments import Overrides
from llmgate.server import warmup


@pytest.mark.parametrize("model", [None, "gpt-4o"])
@pytest.mark.parametrize("strategy", ["simple-shuffle", "usage-based-routing"])
def test_a_rehearsal_is_answered_and_leaves_no_trace(
    model: str | None, strategy: str, upstream: Upstream, tmp_path: Path
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"""
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/gpt-4o, api_base: {upstream.url}/v1, api_key: sk-x}}
router_settings: {{routing_strategy: {strategy}}}
general_settings: {{master_key: sk-1234}}
llmgate_settings: {{state_path: {tmp_path}/state.db}}
"""
    )
    app = create_app(config.load(str(path), {}, Overrides(model=model)))
    statuses: list[int] = []

    def seen(environ: Any, start_response: Any) -> Any:
        def noted(status: str, *rest: Any) -> Any:
            statuses.append(int(status.split()[0]))
            return start_response(status, *rest)

        return inner(environ, noted)

    inner, app.wsgi_app = app.wsgi_app, seen  # type: ignore[method-assign]
    with request_log() as lines:
        warmup.warm_up(app)

    assert statuses == [200] * 4
    assert lines == []
    assert upstream.requests == []
    assert not (tmp_path / "state.db").exists()  # no connection to it may live through a fork
