"""The gateways that are compared: how each is installed, started and called."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from load import Target

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("llmgate", "schemas", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
CONFIG = """
model_list:
  - model_name: gpt-4o-mini
    litellm_params: {{ model: openai/gpt-4o-mini, api_base: "{up}/v1", api_key: sk-up }}
general_settings: {{ master_key: sk-bench }}
"""
NGINX = """
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 10000; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream provider {{ server {address}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""
PORTKEY = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "^1.15.2"},
    "overrides": {"@hono/node-server": "1.14.0"},  # with later ones every stream fails
}


class Place(NamedTuple):
    """Where one run of a gateway is."""

    home: Path  # where it is installed
    folder: Path  # for its files
    port: int
    up: str  # the provider's address


class Gateway(NamedTuple):
    """A gateway."""

    install: Callable[[Path], None]  # into a folder that is its own
    command: Callable[[Place], list[str]]
    env: Mapping[str, str] = {}
    headers: Callable[[Place], tuple[tuple[str, str], ...]] = lambda place: OURS
    health: str = "/"
    package: str = ""  # below its folder, what an installation takes

    def target(self, place: Place) -> Target:
        """Return where its chats go."""
        return Target(place.port, headers=self.headers(place))


OURS = (("Authorization", "Bearer sk-bench"),)
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def ran(*command: object, cwd: Path | None = None) -> None:
    """Run *command* to its end."""
    subprocess.run([str(part) for part in command], cwd=cwd, check=True)


def venv(home: Path, *wanted: object) -> None:
    """Install *wanted* from PyPI into a venv at *home* that has nothing else, no pip either."""
    if not (home / "bin/python").exists():
        ran(sys.executable, "-m", "venv", "--without-pip", home)
    pip = [sys.executable, "-m", "pip", "--python", home / "bin/python"]
    ran(*pip, "install", "-q", "--disable-pip-version-check", *wanted)


def install_ours(home: Path, extra: str = "") -> None:
    """Install this checkout as it is now."""
    with tempfile.TemporaryDirectory() as folder:  # for pip leaves build/ behind
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder, name))
        venv(home, f"{folder}{extra}")
        venv(home, "--no-deps", "--force-reinstall", folder)


def install_litellm(home: Path) -> None:
    """Install LiteLLM's proxy from PyPI."""
    if not (home / "bin/litellm").exists():
        venv(home, "litellm[proxy]")


def install_portkey(home: Path) -> None:
    """Install Portkey's gateway from npm."""
    if not (home / "node_modules").exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text(json.dumps(PORTKEY))
        ran("npm", "install", "--no-audit", "--no-fund", cwd=home)


def install_nginx(home: Path) -> None:
    """Unpack Debian's nginx, without installing it into the system."""
    if not (home / "usr/sbin/nginx").exists():
        home.mkdir(parents=True, exist_ok=True)
        ran("apt-get", "download", "-q", "nginx", cwd=home)
        ran("dpkg-deb", "-x", next(home.glob("nginx_*.deb")), home)


def start_ours(place: Place) -> list[str]:
    """Return what starts llmgate."""
    start = [str(place.home / "bin/llmgate"), "--host", "127.0.0.1", "--port", str(place.port)]
    return [*start, "--config", config(place)]


def start_floor(place: Place) -> list[str]:
    """Return what starts the bare view of floor.py in llmgate's venv, with its settings."""
    server = [str(place.home / "bin/gunicorn"), "-c", "python:llmgate.gunicorn_conf"]
    here = ["-b", f"127.0.0.1:{place.port}", "--chdir", str(ROOT / "bench")]
    return ["env", f"FLOOR_UPSTREAM={place.up}/v1", *server, *here, "floor:app"]


def start_litellm(place: Place) -> list[str]:
    """Return what starts LiteLLM."""
    start = [str(place.home / "bin/litellm"), "--host", "127.0.0.1", "--port", str(place.port)]
    return [*start, "--config", config(place)]


def start_portkey(place: Place) -> list[str]:
    """Return what starts Portkey, without its console in the browser."""
    program = place.home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    return ["node", str(program), "--headless", f"--port={place.port}"]


def start_nginx(place: Place) -> list[str]:
    """Return what starts nginx as a bare proxy."""
    path = place.folder / "nginx.conf"
    address = place.up.removeprefix("http://")
    path.write_text(NGINX.format(folder=place.folder, port=place.port, address=address))
    return [str(place.home / "usr/sbin/nginx"), "-p", str(place.folder), "-c", str(path)]


def config(place: Place) -> str:
    """Return the path of a configuration that LiteLLM and llmgate understand."""
    path = place.folder / "config.yaml"
    path.write_text(CONFIG.format(up=place.up))
    return str(path)


def to_portkey(place: Place) -> tuple[tuple[str, str], ...]:
    """Return the headers that tell Portkey where a request goes."""
    where = (
        ("x-portkey-provider", "openai"),
        ("x-portkey-custom-host", f"{place.up}/v1"),
    )
    return (("Authorization", "Bearer sk-up"), *where)


_THREADS = {"LLMGATE_WORKER_CLASS": "gthread"}
_GREENLETS = {"LLMGATE_WORKER_CLASS": "gevent"}
_LITELLM = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "*"}  # loopback only
_PORTKEY = {"NODE_ENV": "production", "TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}


def _gevents(home: Path) -> None:
    """Install this checkout with gevent."""
    install_ours(home, "[gevent]")


GATEWAYS = {
    "llmgate": Gateway(install_ours, start_ours, _THREADS, health="/health", package=SITE),
    "llmgate[gevent]": Gateway(_gevents, start_ours, _GREENLETS, health="/health", package=SITE),
    "portkey": Gateway(
        install_portkey, start_portkey, _PORTKEY, to_portkey, package="node_modules"
    ),
    "litellm": Gateway(
        install_litellm, start_litellm, _LITELLM, health="/health/liveliness", package=SITE
    ),
    "nginx": Gateway(install_nginx, start_nginx, package="usr"),
    "floor": Gateway(install_ours, start_floor, _THREADS, health="/health"),
    "floor[gevent]": Gateway(_gevents, start_floor, _GREENLETS, health="/health"),
}
"""By their names; the floors only if `--only` names them."""

PEERS = [name for name in GATEWAYS if not name.startswith("floor")]


def home(directory: Path, name: str) -> Path:
    """Return where the gateway called *name* is installed below *directory*."""
    return directory / name.replace("floor", "llmgate").replace("[", "-").replace("]", "")


def installed(directory: Path, names: list[str]) -> None:
    """Install the gateways called *names* below *directory*, each place once."""
    for place, name in {home(directory, name): name for name in names}.items():
        GATEWAYS[name].install(place)
