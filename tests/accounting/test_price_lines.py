from __future__ import annotations

from llmgate.accounting import price_lines


def test_prices_are_named_with_their_units_tiers_and_service_tiers() -> None:
    prices = {
        "input_cost_per_token_flex": 1e-06,
        "output_cost_per_token": 1e-05,
        "input_cost_per_token_above_200k_tokens": 5e-06,
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_image": 0.04,
        "some_cost": 3,
    }

    found = list(price_lines.lines("openai/x", prices, {"mode": "chat", "max_input_tokens": 5}))

    assert [" ".join(line.split()) for line in found] == [
        "openai/x (chat, context 5)",
        "input 2.5 $ per 1M tokens",
        "input, prompts above 200k tokens 5 $ per 1M tokens",
        "output 10 $ per 1M tokens",
        "image 0.04 $ each",
        "some_cost 3 $",
        "input (flex) 1 $ per 1M tokens",
    ]


def test_an_unknown_price_stays_unknown() -> None:
    name, advice = price_lines.lines("openai/x", {}, {})

    assert name == "openai/x (not in the price list)"
    assert advice.startswith("  no price is known")
