from __future__ import annotations

from typing import Any

import pytest

from llmgate.config import access_settings
from llmgate.errors import ConfigError


def test_calls_are_kept_as_long_as_the_operator_sets() -> None:
    def kept(**general: Any) -> int | None:
        return access_settings.load({}, general, {}, {}).keep_calls

    assert kept() is None
    assert kept(maximum_spend_logs_retention_period="2d") == 2 * 86_400_000_000
    for text in ("x", "0d"):
        with pytest.raises(ConfigError, match="retention_period"):
            kept(maximum_spend_logs_retention_period=text)


@pytest.mark.parametrize("name", ["max_budget", "max_end_user_budget"])
def test_a_budget_beyond_64_bits_stops_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        access_settings.load({name: 9.3e9}, {}, {}, {})
