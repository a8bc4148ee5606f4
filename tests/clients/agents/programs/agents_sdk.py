"""An agent of openai-agents: agents_sdk.py API URL MODEL PROMPT; prints its final output."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import agents
import openai


@agents.function_tool
def read_file(path: str) -> str:
    """Read a file."""
    return Path(path).read_text("utf-8")


async def main(api: str, url: str, model: str, prompt: str) -> None:
    agents.set_tracing_disabled(True)
    client = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="sk-any", max_retries=0)
    kinds = {"chat": agents.OpenAIChatCompletionsModel, "Responses": agents.OpenAIResponsesModel}
    agent = agents.Agent(
        name="reader",
        instructions="You are terse.",
        model=kinds[api](model=model, openai_client=client),
        tools=[read_file],
    )
    result = agents.Runner.run_streamed(agent, prompt)
    async for _ in result.stream_events():
        pass
    print(result.final_output)


asyncio.run(main(*sys.argv[1:]))
