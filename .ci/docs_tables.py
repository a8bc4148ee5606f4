"""Generates the tables of docs/ from the code, between their markers.

Run it with the Python of a venv in which llmgate is installed:

    python .ci/docs_tables.py
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmgate.endpoints import routes

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from flask import Flask  # noqa: E402

from llmgate import cli  # noqa: E402
from llmgate import config  # noqa: E402
from llmgate import create_app  # noqa: E402
from llmgate import errors  # noqa: E402
from llmgate.contract import Call  # noqa: E402
from llmgate.contract import Deployment  # noqa: E402
from llmgate.contract import Provider  # noqa: E402
from llmgate.dialects.openai import resources as openai_resources  # noqa: E402
from llmgate.providers import PROVIDERS  # noqa: E402
from llmgate.providers import serving  # noqa: E402
from llmgate.schema import validation  # noqa: E402

sys.path.insert(0, str(ROOT / ".ci"))

from docs_faults import faults  # noqa: E402
from docs_options import Row  # noqa: E402
from docs_options import code  # noqa: E402
from docs_options import options  # noqa: E402
from docs_options import table  # noqa: E402

# -- providers


def providers() -> str:
    """Return the table of providers."""
    head = ("prefix", "key", "address", "other variables", "operations")
    return table(head, (_provider(PROVIDERS[name]) for name in sorted(PROVIDERS)))


def _provider(provider: Provider) -> Row:
    env = dict(provider.env)
    key = code(env.pop("api_key", ())) + _if_optional(provider)
    address = provider.base_url({}) or "yours"
    names = code(env.pop("api_base", ()))
    others = code(name for names in env.values() for name in names)
    return (
        f"`{provider.name}/`",
        key or "see the variables",
        f"{address}<br>{names}" if names else address,
        others,
        ", ".join(_spoken(each) for each in _operations(provider) if each != "stored_responses"),
    )


def _if_optional(provider: Provider) -> str:
    """Return the words for a provider that needs no key."""
    url = provider.base_url({}) or "https://example.org/v1"
    try:
        provider.authorize(
            Call("POST", url, {}, b"{}"), Deployment("g", provider.name, "some-model", url)
        )
    except errors.GateError:
        return ""
    return " if it asks for one" if provider.env.get("api_key") else "none"


def _operations(provider: Provider) -> list[str]:
    """Return the operations of *provider*, those of its Claude models among them."""
    found = dict.fromkeys(provider.operations)
    if provider.for_model:
        claude = "anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4@20250514"
        for model in claude:
            found |= dict.fromkeys(serving(Deployment("g", provider.name, model, "")).operations)
    return list(found)


def _spoken(operation: str) -> str:
    kind, _, what = operation.partition("_")
    return f"image {what}" if kind == "images" else operation.replace("_", " ")


# -- endpoints


def endpoints() -> str:
    """Return the table of routes."""
    app = create_app(config.load(None, {"LLMGATE_MASTER_KEY": "sk-none"}))
    head = ("method", "path", "also at", "key", "what it does")
    return table(head, sorted(_routes(app), key=_rank))


_ORDER = "chat completions embeddings responses messages beta models model images audio"
_ORDER += " moderations rerank utils health / api llmstudio"


def _rank(row: Row) -> int:
    """Return where *row* stands in the table of routes: what most clients ask first."""
    steps = row[1].strip("`").removeprefix("/v1").strip("/").partition("/")
    order = _ORDER.split()
    return order.index(steps[0] or "/") if (steps[0] or "/") in order else len(order)


def _routes(app: Flask) -> Iterator[Row]:
    found: dict[tuple[str, str], list[str]] = {}
    for rule in app.url_map.iter_rules():
        # resources have a table or a text of their own, pages their own document
        if rule.endpoint.startswith(("resources.", "dashboard.", "generate.resource")):
            continue
        for method in sorted(rule.methods & {"GET", "POST", "DELETE", "PUT", "PATCH"}):
            found.setdefault((rule.endpoint, method), []).append(rule.rule)
    for (endpoint, method), paths in _merged(found).items():
        view = app.view_functions[endpoint]
        first, others = _alike(paths)
        needed = "no" if getattr(view, "auth", "") == "public" else "yes"
        what = (view.__doc__ or "").split("\n")[0]
        yield method, f"`{first}`", others, needed, what


def _merged(found: dict[tuple[str, str], list[str]]) -> dict[tuple[str, str], list[str]]:
    """Return *found* with one row for views that take whatever method there is."""
    merged: dict[tuple[str, str], list[str]] = {}
    for (endpoint, method), paths in found.items():
        alike = [m for (e, m), others in found.items() if e == endpoint and others == paths]
        merged[endpoint, method if len(alike) < 5 else "any"] = paths
    return merged


def _alike(paths: list[str]) -> tuple[str, str]:
    """Return the path that stands for *paths*, and the words for the others."""
    left, shown = list(paths), []
    for path in paths:
        alike = set(routes.paths(path[1:]))
        if alike <= set(left) and not path.startswith(("/engines/", "/deployments/")):
            left = [each for each in left if each not in alike]
            shown.append(f"/v1{path}")
    azure = {path for path in left if "/engines/<path" in path or "/deployments/<path" in path}
    words = [*(["prefixes"] if shown else []), *(["by model"] if azure else [])]
    more = [*shown[1:], *(path for path in left if path not in azure)]
    first = shown[0] if shown else more.pop(0)
    return _placed(first), ", ".join([*words, *(f"`{_placed(path)}`" for path in more)])


def _placed(path: str) -> str:
    """Return *path* with its variables in braces."""
    return path.replace("<path:", "<").replace("<", "{").replace(">", "}")


# -- resources


def resources() -> str:
    """Return the table of OpenAI's resources that are relayed."""
    found: dict[str, list[str]] = {}
    for row in openai_resources.ROWS:
        words = f"{', '.join(row.methods)} `/v1/{row.path}`"
        found.setdefault(row.path.split("/")[0], []).append(words)
    kept = openai_resources.KEPT_BY
    rows = ((f"`{n}`", "<br>".join(found[n]), code(kept.get(n, ()))) for n in sorted(found))
    return table(("resource", "methods and paths", "setting"), rows)


# -- design


def packages() -> str:
    """Return which package may import which, from the test that checks it, and what it holds."""
    tree = ast.parse((ROOT / "tests" / "test_floors.py").read_text(encoding="utf-8"))
    found = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ALLOWED"
    )
    rows = (
        (f"`{name}`", _holds(name), code(names.split()))
        for name, names in ast.literal_eval(found).items()
    )
    return table(("package", "contents", "may import, besides its own modules"), rows)


def _holds(name: str) -> str:
    """Return the first line of the docstring of the package or module *name*."""
    path = ROOT / "llmgate" / name
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]


# -- LiteLLM's settings


def litellm_settings() -> str:
    """Return what becomes of each setting of LiteLLM's files."""
    schema = validation.schema("config")
    entry = schema["properties"]["model_list"]["items"]["properties"]
    named = {
        "at the top": schema,
        **{f"model_list[].{name}": entry[name] for name in ("litellm_params", "model_info")},
        **{name: schema["properties"][name] for name in _SECTIONS},
    }
    head = ("section", "used", "ignored, and named at the start", "values that are refused")
    return table(head, (_settings_of(name, part) for name, part in named.items()))


_SECTIONS = ("litellm_settings", "router_settings", "general_settings")


def _settings_of(name: str, section: Mapping[str, Any]) -> Row:
    """Return the row of the settings of a *section*."""
    found: dict[str, list[str]] = {"used": [], "ignored": []}
    refused = []
    for key, part in sorted(section["properties"].items()):
        if part.get("unsupported") is True:
            found["ignored"].append(key)
            continue
        found["used"].append(key)
        refused += [f"{key}: {value}" for value in part.get("unsupported") or ()]
    return f"`{name}`", code(found["used"]), code(found["ignored"]), code(refused)


def litellm_flags() -> str:
    """Return what becomes of the options of LiteLLM's command."""
    ours = [name for param in cli.main.params for name in param.opts if name.startswith("--")]
    ignored = [f"--{name}" for name in sorted(cli.IGNORED_FLAGS | cli.IGNORED_OPTIONS)]
    return table(("used", "ignored, with a warning"), [(code(ours), code(ignored))])


TABLES = {
    "from-litellm.md": {"litellm_settings": litellm_settings, "litellm_flags": litellm_flags},
    "reliability.md": {"faults": faults},
    "providers.md": {"providers": providers},
    "endpoints.md": {"endpoints": endpoints, "resources": resources},
    "design.md": {"packages": packages},
    "configuration.md": {
        "model_list": lambda: options("model_list", "[]"),
        "litellm_params": lambda: options("model_list", "[]", "litellm_params"),
        "model_info": lambda: options("model_list", "[]", "model_info"),
        "litellm_settings": lambda: options("litellm_settings"),
        "general_settings": lambda: options("general_settings"),
        "router_settings": lambda: options("router_settings"),
        "llmgate_settings": lambda: options("llmgate_settings"),
    },
}
"""What makes the table between `<!-- name -->` and `<!-- /name -->` of each page."""


def page(name: str, text: str) -> str:
    """Return *text*, that of the page called *name*, with the tables of today."""
    for mark, made in TABLES[name].items():
        begin, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->\n"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise LookupError(f"docs/{name} has no place for the table '{mark}'")
        text = f"{before}{begin}{made()}{end}{after}"
    return text


def main() -> None:
    """Write the tables of all pages."""
    for name in TABLES:
        path = ROOT / "docs" / name
        path.write_text(page(name, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
