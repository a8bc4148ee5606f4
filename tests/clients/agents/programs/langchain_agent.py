"""An agent of LangChain: langchain_agent.py API URL MODEL PROMPT; prints its last message."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.tools import tool


@tool
def read_file(path: str) -> str:
    """Read a file."""
    return Path(path).read_text("utf-8")


def chosen(api: str, url: str, model: str) -> Any:
    """Return the model on *api*."""
    if api == "Messages":
        from langchain_anthropic import ChatAnthropic

        return ChatAnthropic(model=model, base_url=url, api_key="sk-any", max_retries=0)
    if api == "Gemini":
        from langchain_google_genai import ChatGoogleGenerativeAI

        return ChatGoogleGenerativeAI(model=model, base_url=url, api_key="sk-any", max_retries=0)
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="sk-any", max_retries=0)


def main(api: str, url: str, model: str, prompt: str) -> None:
    agent = create_agent(chosen(api, url, model), [read_file], system_prompt="You are terse.")
    asked = {"messages": [{"role": "user", "content": prompt}]}
    last: Any = None
    for kind, data in agent.stream(asked, stream_mode=["messages", "values"]):
        if kind == "values":  # beside "messages", the model's own stream is used
            last = data["messages"][-1]
    print(last.text)


main(*sys.argv[1:])
