"""Anthropic's Messages API behind OpenAI's chat: what providers of Claude need of it.

Anthropic itself, Bedrock, Vertex and Azure speak it; the modules `anthropic_*` hold the parts.
Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from llmgate.dialects.anthropic.errors import error_body
from llmgate.dialects.anthropic.errors import failure
from llmgate.dialects.anthropic.models import default_limit
from llmgate.dialects.anthropic.models import model_of
from llmgate.dialects.anthropic.reply import chat_from_message
from llmgate.dialects.anthropic.request import PARAMS
from llmgate.dialects.anthropic.request import messages_from_chat
from llmgate.dialects.anthropic.stream import chunks
from llmgate.dialects.anthropic.stream import chunks_from_events
from llmgate.dialects.anthropic.stream import decoded
from llmgate.dialects.anthropic.stream import whole
from llmgate.dialects.anthropic.usage import counted

__all__ = [
    "PARAMS",
    "chat_from_message",
    "chunks",
    "chunks_from_events",
    "counted",
    "decoded",
    "default_limit",
    "error_body",
    "failure",
    "messages_from_chat",
    "model_of",
    "whole",
]
