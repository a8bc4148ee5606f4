"""Which package may import which, and how large things may be."""

from __future__ import annotations

import ast
import configparser
import graphlib
import io
import tokenize
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from llmgate.providers import PROVIDERS

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "contract": "",
    "errors": "",
    "version": "",
    "codecs": "contract errors",
    "schema": "contract errors",
    "trust": "contract errors",
    "storage": "",
    "inbound": "errors",
    "upstream": "contract errors inbound trust",
    "logins": "contract errors trust upstream",
    "dialects": "contract errors codecs",
    "fronts": "contract errors codecs dialects schema",
    "accounting": "contract errors codecs inbound trust upstream",
    "access": "contract errors accounting storage",
    "providers": "contract errors codecs dialects fronts schema",
    "routing": "contract errors accounting schema storage trust upstream",
    "config": """contract errors access accounting dialects inbound logins providers routing
    schema trust""",
    "pipeline": """contract errors accounting codecs config dialects inbound providers
    routing schema trust upstream""",
    "server": "errors accounting inbound upstream",
    "endpoints": """contract errors version access accounting codecs config dialects fronts
    inbound pipeline providers routing schema storage trust""",
    "dashboard": """contract errors version access accounting codecs config endpoints inbound
    pipeline providers routing schema storage trust""",
    "llmstudio": """contract errors accounting dialects endpoints inbound pipeline
    providers routing schema storage trust""",
}
"""What the modules of each package may import besides their own package's."""

ASSEMBLY = "__init__ __main__ access_cli cli config_cli gunicorn_conf app".split()
"""What puts the program together: it may import everything, and nothing else imports it."""

USERS = {
    "flask": "dashboard endpoints llmstudio __init__ app server.warmup",
    "werkzeug": "dashboard endpoints llmstudio __init__ server.warmup",
    "click": "access_cli cli config_cli",
    "gunicorn": "server endpoints",
    "requests": "upstream",
    "urllib3": "upstream",
    "yaml": "config.file.yaml_file config.file.yaml_lines",
    "jsonschema": "schema.validation",
    "sqlite3": "storage llmstudio.chat_log",
    "psycopg": "storage",
    "redis": "storage",
}
"""Which packages and modules alone may import a library."""

READERS_OF_THE_ENVIRONMENT = (
    "logins.aws logins.azure cli gunicorn_conf app server.gthread_worker server.timeouts".split()
)

PURE = ("codecs", "dialects", "fronts", "providers")
"""The packages that do no I/O."""

IMPURE = tuple(
    """asyncio. concurrent. fcntl. ftplib. http. logging. multiprocessing. os. pathlib. select.
    shutil. signal. smtplib. socket. socketserver. sqlite3. ssl. subprocess. tempfile. threading.
    urllib.request.""".split()
)
"""What translations and providers have no use for: they neither read nor write anything."""

LONGEST_MODULE = 300
LARGEST_ROOT = 9  # modules
LARGEST_PACKAGE = 12  # modules, __init__ not counted
MAY_BE_LARGE = {"access", "dialects", "endpoints", "fronts", "pipeline", "providers", "storage"}
LONGEST_FUNCTION = 40  # lines of code
DEEPEST = 3
MOST_ARGUMENTS = 6
TOO_DEEP = ("server.gthread_worker._run:",)
LARGE = ("cli.main:", "access_cli.create:")  # one argument for each option


def modules() -> dict[str, Path]:
    """Return every module by its name within llmgate; a package by its own."""
    found = {"app": ROOT / "app.py"}
    for path in sorted((ROOT / "llmgate").rglob("*.py")):
        parts = path.relative_to(ROOT / "llmgate").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)] = path
    return found


MODULES = modules()
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
TREES = {name: ast.parse(text) for name, text in TEXTS.items()}
NODES = {name: list(ast.walk(tree)) for name, tree in TREES.items()}


def top(name: str) -> str:
    """Return the module or package, directly in llmgate, that the module *name* is or is in."""
    return name.partition(".")[0]


def imported(name: str) -> Iterator[str]:
    """Yield the full names of what the module *name* imports."""
    for node in NODES[name]:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> set[str]:
    """Return the modules of llmgate that the module *name* imports."""
    found = set()
    for full in imported(name):
        if full.startswith("llmgate"):
            inner = full.removeprefix("llmgate").removeprefix(".")
            while inner and inner not in MODULES:
                inner = inner.rpartition(".")[0]
            found.add(inner or "__init__")
    return found


IMPORTS = {name: ours(name) for name in MODULES}


# -- packages


def test_every_module_is_in_a_package_of_the_table() -> None:
    homeless = {name for name in MODULES if top(name) not in {*ALLOWED, *ASSEMBLY}}

    assert homeless == set(), "give it a row in ALLOWED of this file"


def test_a_package_imports_only_what_its_row_allows() -> None:
    wrong = [
        f"{name} imports {other}"
        for name, others in IMPORTS.items()
        for other in others
        if top(name) in ALLOWED and top(other) not in {top(name), *ALLOWED[top(name)].split()}
    ]

    assert wrong == []


def test_the_table_of_packages_has_no_circle() -> None:
    graph = {name: set(allowed.split()) for name, allowed in ALLOWED.items()}

    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(ALLOWED)


def test_imports_go_round_in_no_circle() -> None:
    graph = {name: others - {name} for name, others in IMPORTS.items()}

    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(MODULES)


def test_imports_say_the_whole_name() -> None:
    relative = [name for name in MODULES for full in imported(name) if full.startswith(".")]

    assert relative == []


# -- libraries


def test_a_library_is_imported_only_where_the_table_says() -> None:
    used = [(name, full.partition(".")[0]) for name in MODULES for full in imported(name)]

    assert [
        f"{name} imports {library}"
        for name, library in used
        if library in USERS and not {name, top(name)} & {*USERS[library].split()}
    ] == []


def test_the_environment_is_read_where_the_process_begins() -> None:
    variables = {("os", "environ"), ("os", "getenv"), ("os", "environb")}
    readers = {
        name
        for name, nodes in NODES.items()
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in variables
    }
    readers |= {name for name in MODULES if {"os.environ", "os.getenv"} & set(imported(name))}

    assert readers <= set(READERS_OF_THE_ENVIRONMENT)


def test_translations_and_providers_do_no_io() -> None:
    pure = [n for n in MODULES if top(n) in PURE and n != "codecs.cl100k"]  # it reads its table
    called = {
        f"{name} calls {node.func.id}"
        for name in pure
        for node in NODES[name]
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("open", "print", "input")
    }
    used = {
        f"{name} imports {full}"
        for name in pure
        for full in imported(name)
        if f"{full}.".startswith(IMPURE)
    }

    assert called | used == set()


def compared(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what something is compared with: for being equal, for being one of them."""
    for node in nodes:
        if isinstance(node, ast.Compare):
            terms = [node.left, *node.comparators]
            for left, operator, right in zip(terms, node.ops, terms[1:], strict=False):
                yield from [right] if isinstance(operator, ast.In | ast.NotIn) else [left, right]
        elif isinstance(node, ast.MatchValue):
            yield node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from node.args if node.func.attr == "startswith" else ()


def test_no_provider_is_known_by_its_name_outside_providers() -> None:
    known = {
        f"{name}:{literal.lineno} compares {literal.value!r}"
        for name, nodes in NODES.items()
        if top(name) != "providers"
        for term in compared(nodes)
        for literal in ast.walk(term)
        if isinstance(literal, ast.Constant)
        and isinstance(literal.value, str)
        and literal.value.removesuffix("/") in PROVIDERS
    }

    assert known == set()


# -- sizes and manners


FUNCTIONS = {
    f"{name}.{node.name}:{node.lineno}": (name, node)
    for name, nodes in NODES.items()
    for node in nodes
    if isinstance(node, ast.FunctionDef)
}


def code(name: str) -> set[int]:
    """Return the numbers of the lines of module *name* that are no comment, blank or docstring."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(TEXTS[name]).readline):
        if token.type not in skipped:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in NODES[name]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return found


BLOCKS = (ast.If, ast.For, ast.While, ast.Try, ast.Match)


def depth(node: ast.AST) -> int:
    """Return how many blocks are nested in *node*; an elif is no deeper than its if."""
    deepest = 0
    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        is_elif = isinstance(node, ast.If) and field == "orelse" and len(children) == 1
        for child in children:
            if isinstance(child, ast.AST) and not isinstance(child, ast.FunctionDef):
                flat = is_elif and isinstance(child, ast.If)
                deepest = max(deepest, depth(child) + (isinstance(child, BLOCKS) and not flat))
    return deepest


def test_modules_are_short() -> None:
    lengths = {name: len(text.splitlines()) for name, text in TEXTS.items()}

    assert {n: at for n, at in lengths.items() if at > LONGEST_MODULE} == {}


def test_packages_are_small() -> None:
    sizes = Counter(name.rpartition(".")[0] for name in MODULES if "." in name)
    root = {name for name in MODULES if "." not in name and name not in ALLOWED} - {"app"}

    large = {name: size for name, size in sizes.items() if size > LARGEST_PACKAGE}
    assert {top(name) for name in large} <= MAY_BE_LARGE
    assert len(root | {"contract", "errors", "version"}) <= LARGEST_ROOT


def test_functions_are_short() -> None:
    spans = {
        full: (name, range(node.lineno, (node.end_lineno or 0) + 1))
        for full, (name, node) in FUNCTIONS.items()
    }
    long = {full: span for full, span in spans.items() if len(span[1]) > LONGEST_FUNCTION}
    lengths = {full: len(code(name).intersection(span)) for full, (name, span) in long.items()}

    assert {
        full: length
        for full, length in lengths.items()
        if length > LONGEST_FUNCTION and not full.startswith(LARGE)
    } == {}


def test_functions_are_flat() -> None:
    depths = {full: depth(node) for full, (_, node) in FUNCTIONS.items()}

    assert {
        full: found
        for full, found in depths.items()
        if found > DEEPEST and not full.startswith(TOO_DEEP)
    } == {}


def test_functions_take_few_arguments() -> None:
    arguments = {
        full: [
            given.arg
            for given in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            if given.arg != "self"
        ]
        for full, (_, node) in FUNCTIONS.items()
    }

    assert {
        full: given
        for full, given in arguments.items()
        if len(given) > MOST_ARGUMENTS and not full.startswith(LARGE)
    } == {}


def test_nothing_is_asynchronous() -> None:
    kinds = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)

    assert {n for n, nodes in NODES.items() if any(isinstance(x, kinds) for x in nodes)} == set()


def test_nothing_is_caught_wholesale() -> None:
    wholesale = [
        f"{name}:{node.lineno}"
        for name, nodes in NODES.items()
        for node in nodes
        if name != "pipeline.policy"  # policies are anybody's code
        and isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]

    assert wholesale == []


def test_modules_and_public_functions_say_what_they_are() -> None:
    silent = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]
    silent += [
        f"{name}.{node.name}"
        for name, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]

    assert silent == []


def test_no_module_is_a_drawer() -> None:
    names = {name.rpartition(".")[2] for name in MODULES}

    assert names & {"utils", "util", "helpers", "misc"} == set()


def test_every_package_is_shipped() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in (ROOT / "llmgate").rglob("__init__.py")
    }

    assert set(setup["options"]["packages"].split()) == packages | {"llmgate.schemas"}
