"""The input items of OpenAI's Responses API as the messages of a chat.

One turn of the model (reasoning, text, calls) is several items there and one message in a chat.
Source: https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.fronts import signatures
from llmgate.fronts.fields import array
from llmgate.fronts.fields import field
from llmgate.fronts.fields import invalid
from llmgate.fronts.responses import calls as front_calls
from llmgate.fronts.responses import content as front_content
from llmgate.fronts.responses.tools import NO_TOOLS
from llmgate.fronts.responses.tools import Tools

_CALL = frozenset("type id call_id name namespace arguments status caller async".split())


def messages(given: Any, tools: Tools = NO_TOOLS, name: str = "input") -> list[dict[str, Any]]:
    """Return the *given* input, a string or items, as messages; *name* is that of the member.

    Raises InvalidRequest for items that a chat cannot express, naming the member.
    """
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    conversation = _Conversation(tools)
    for at, item in enumerate(given or ()):
        place = f"{name}[{at}]"
        if not isinstance(item, Mapping):
            raise invalid(place, "an object")
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if kind not in _ITEMS:
            raise _unsupported(kind, place)
        _ITEMS[kind](conversation, item, place)
    return conversation.messages()


def _unsupported(kind: Any, place: str) -> errors.InvalidRequest:
    """Return the error for an item of *kind*, which only OpenAI's own servers understand."""
    advice = (
        "it refers to an item that is not stored here. Send the item itself: set 'store' to false"
        " in the client (AI SDK: providerOptions.openai.store), so that it sends whole items; or"
        " have the operator set llmgate_settings.responses_store"
        if kind == "item_reference"
        else "this model is reached through chat completions, which have no such item. Remove it,"
        " or use a model whose provider has the Responses API"
    )
    return errors.InvalidRequest(
        f"Input items of type '{kind}' are not supported here: {advice}.", param=place
    )


class _Conversation:
    """The messages so far."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._messages: list[dict[str, Any]] = []
        self._signed: dict[str, Any] = {}  # carried members of the turn, for calls to come

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages; the system messages at the beginning are joined into one."""
        found = [_complete(message) for message in self._messages]
        leading = next((at for at, it in enumerate(found) if it["role"] != "system"), len(found))
        return joined_system(found[:leading]) + found[leading:]

    def add(self, message: dict[str, Any]) -> None:
        """Add a *message* that is not the model's."""
        self._messages.append(message)
        self._signed = {}

    def turn(self) -> dict[str, Any]:
        """Return the model's turn that the last items belong to, a new one if there is none."""
        if not self._messages or self._messages[-1]["role"] != "assistant":
            self._messages.append({"role": "assistant", "content": None})
            self._signed = {}
        return self._messages[-1]

    def answer(self, content: Any) -> None:
        """Add the model's text to its turn."""
        turn = self.turn()
        if turn["content"] is None:
            turn["content"] = content
        elif turn.get("tool_calls"):  # nothing may stand between calls and their outputs
            parts = map(front_content.parts, (turn["content"], content))
            turn["content"] = [part for listed in parts for part in listed]
        else:
            self._messages.append({"role": "assistant", "content": content})

    def call(self, id: Any, name: str, arguments: str, extra: Mapping[str, Any]) -> None:
        """Add a call to the model's turn."""
        turn = self.turn()
        function = {"name": name, "arguments": arguments}
        call = {"id": id, "type": "function", "function": function, **extra}
        signatures.restore_calls([call], self._signed)
        turn["tool_calls"] = [*turn.get("tool_calls", ()), call]

    def sign(self, members: Mapping[str, Any]) -> None:
        """Give the turn the carried *members* of its reasoning."""
        signatures.restore(self.turn(), members)
        self._signed = {**self._signed, **members}


def joined_system(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return system messages as one: templates of many models take no second one."""
    if len(found) < 2:
        return found
    contents = [message["content"] for message in found]
    if all(isinstance(content, str) for content in contents):
        return [{"role": "system", "content": "\n\n".join(filter(None, contents))}]
    parts = [part for content in contents for part in front_content.parts(content)]
    return [{"role": "system", "content": parts}]


def _complete(message: dict[str, Any]) -> dict[str, Any]:
    """Return *message*, a turn of reasoning alone with an empty text."""
    if message["content"] is None and not message.get("tool_calls"):
        return {**message, "content": ""}
    return message


# -- items

_Item = Callable[[_Conversation, Mapping[str, Any], str], None]


def _message(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add a message; the model's text joins its turn."""
    role = field(item, "role", place)
    role = "system" if role == "developer" else role
    content = front_content.content(item.get("content"), f"{place}.content")
    if role == "assistant":
        conversation.answer(content)
    else:
        conversation.add({"role": role, "content": content})


def _reasoning(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add the model's reasoning, with the signatures that its provider wants back."""
    name = "content" if item.get("content") else "summary"
    texts = []
    for at, part in enumerate(array(item, name, place)):
        inner = f"{place}.{name}[{at}]"
        texts.append(field(part, "text", inner) if part.get("text") is not None else "")
    thought = "\n\n".join(texts)
    turn = conversation.turn()
    if thought:
        turn["reasoning_content"] = turn.get("reasoning_content", "") + thought
    conversation.sign(signatures.unsealed(item.get("encrypted_content")))


def _function_call(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add a call of a function."""
    name = field(item, "name", place)
    namespace = field(item, "namespace", place) if item.get("namespace") else None
    arguments = field(item, "arguments", place) if item.get("arguments") else "{}"
    extra = {key: value for key, value in item.items() if key not in _CALL}
    name = conversation.tools.chat_name("function", name, namespace)
    conversation.call(field(item, "call_id", place), name, arguments, extra)


def _client_call(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add a call of another tool that the client executed."""
    kind = front_calls.kind_of(item["type"])
    id = item.get("call_id") or item.get("id")
    if kind == "tool_search" and not isinstance(id, str):
        return  # OpenAI's server searched
    name = field(item, "name", place) if kind == "custom" else kind
    namespace = field(item, "namespace", place) if item.get("namespace") else None
    arguments = front_calls.arguments_of(item, place)
    name = conversation.tools.chat_name(kind, name, namespace)
    conversation.call(field({"call_id": id}, "call_id", place), name, arguments, {})


def _output(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add the output of a function or a custom tool."""
    content = front_content.content(item.get("output"), f"{place}.output")
    id = field(item, "call_id", place)
    conversation.add({"role": "tool", "tool_call_id": id, "content": content})


def _client_output(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add the output of another tool that the client executed."""
    id = item.get("call_id") or item.get("id")
    content = front_calls.output_text(item)
    id = field({"call_id": id}, "call_id", place)
    conversation.add({"role": "tool", "tool_call_id": id, "content": content})


def _found_tools(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Add the result of a tool search: the names of the tools, which are offered from now on."""
    if not isinstance(item.get("call_id"), str):
        return  # OpenAI's server searched
    names = conversation.tools.names_in(item.get("tools"))
    listed = "These tools are available now: " + ", ".join(names) if names else "No tool was found."
    conversation.add({"role": "tool", "tool_call_id": item["call_id"], "content": f"{listed}"})


def _left_out(conversation: _Conversation, item: Mapping[str, Any], place: str) -> None:
    """Leave out what OpenAI's servers did, and tools: the model's text has the result."""


_ITEMS: Mapping[Any, _Item] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _client_call,
    "custom_tool_call_output": _output,
    "tool_search_call": _client_call,
    "tool_search_output": _found_tools,
    **dict.fromkeys(("local_shell_call", "shell_call", "apply_patch_call"), _client_call),
    **{
        f"{name}_output": _client_output
        for name in ("local_shell_call", "shell_call", "apply_patch_call")
    },
    **dict.fromkeys(
        """additional_tools web_search_call file_search_call code_interpreter_call
        image_generation_call mcp_list_tools mcp_call mcp_approval_request
        mcp_approval_response""".split(),
        _left_out,
    ),
}
