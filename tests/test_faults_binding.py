"""Nothing of llmgate holds a function that gevent replaces, bound before the replacement.

The package is imported before gevent patches the standard library. What is bound then (default
arguments, `from socket import f`, constants, attributes of classes) stays blocking: one call of it
stops a whole worker.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

ALLOWED = {
    "llmgate.server.accept_balance.AcceptBalance.yield_to_others() = time.sleep",
    "llmgate.server.thread_pool.SimpleQueue = queue.SimpleQueue",
}
"""What may be bound: both are used by the gthread worker only."""

SCRIPT = """
import importlib, inspect, json, pkgutil, sys
import llmgate
names = ["llmgate"] + [m.name for m in pkgutil.walk_packages(llmgate.__path__, "llmgate.")]
skipped = ("__main__", "gevent_worker", "psycopg", "postgres", "redis")
for name in names:
    if not name.endswith(skipped):
        importlib.import_module(name)
assert "gevent" not in sys.modules
from gevent import monkey
monkey.patch_all()
bound = {
    id(value): f"{module}.{name}"
    for module, members in monkey.saved.items()
    for name, value in members.items()
    if callable(value)
}

def held(where, value, depth=0):
    if id(value) in bound:
        yield f"{where} = {bound[id(value)]}"
    if inspect.isfunction(value):
        defaults = list(value.__defaults__ or ()) + list((value.__kwdefaults__ or {}).values())
        for default in defaults:
            yield from held(f"{where}()", default)
    elif inspect.isclass(value) and value.__module__.startswith("llmgate") and not depth:
        for name, member in vars(value).items():
            member = getattr(member, "__func__", member)
            yield from held(f"{where}.{name}", member, 1)

found = []
for name, module in list(sys.modules.items()):
    if name.startswith("llmgate"):
        for each, value in list(vars(module).items()):
            if id(module) != id(value):
                found += held(f"{name}.{each}", value)
print(json.dumps([len(names), sorted(set(found))]))
"""


def bound(script: str) -> tuple[int, list[str]]:
    """Return the number of modules of llmgate, and what they hold."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    modules, found = json.loads(done.stdout)
    return modules, found


@pytest.mark.fault("F3")
def test_no_module_holds_a_function_that_gevent_replaces() -> None:
    pytest.importorskip("gevent")

    modules, found = bound(SCRIPT)

    assert modules > 100
    assert set(found) - ALLOWED == set()


@pytest.mark.parametrize(
    "code",
    [
        "def f(resolve=__import__('socket').getaddrinfo): ...\nllmgate.f = f",
        "llmgate.wait = __import__('time').sleep",
        "class A:\n    __module__ = 'llmgate'\n    poll = __import__('select').poll\nllmgate.A = A",
    ],
)
def test_what_is_bound_at_import_is_found(code: str) -> None:
    pytest.importorskip("gevent")

    _, found = bound(SCRIPT.replace("import llmgate\n", f"import llmgate\n{code}\n"))

    assert len(set(found) - ALLOWED) == 1
