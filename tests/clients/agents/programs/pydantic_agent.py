"""An agent of pydantic-ai: pydantic_agent.py API URL MODEL PROMPT; prints its final output."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import anthropic
import openai
from pydantic_ai import Agent


def chosen(api: str, url: str, model: str) -> Any:
    """Return the model on *api*; each import needs its own SDK."""
    if api == "Messages":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        claude = anthropic.AsyncAnthropic(base_url=url, api_key="sk-any", max_retries=0)
        return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=claude))
    if api == "Gemini":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(model, provider=GoogleProvider(api_key="sk-any", base_url=url))
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.openai import OpenAIProvider

    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0)
    kind = OpenAIChatModel if api == "chat" else OpenAIResponsesModel
    return kind(model, provider=OpenAIProvider(openai_client=client))


async def main(api: str, url: str, model: str, prompt: str) -> None:
    agent = Agent(chosen(api, url, model), system_prompt="You are terse.")

    @agent.tool_plain
    def read_file(path: str) -> str:
        """Read a file."""
        return Path(path).read_text("utf-8")

    async def consume(_: Any, events: Any) -> None:
        async for _event in events:
            pass

    # With a handler of events, each request to the model is streamed.
    result = await agent.run(prompt, event_stream_handler=consume)
    print(result.output)


asyncio.run(main(*sys.argv[1:]))
