"""Installs the clients from npm and PyPI into a cache folder outside the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 300  # seconds


class NotInstalled(Exception):
    """The reason why a client could not be installed."""


class Package(NamedTuple):
    """What one client needs: packages of one registry, the first of which is the client."""

    registry: str  # npm or pip
    requirements: tuple[str, ...]  # name@version or name==version

    @property
    def version(self) -> str:
        """Return the version of the client itself."""
        return self.requirements[0].rpartition("@" if self.registry == "npm" else "==")[2]


def cache() -> Path:
    """Return the folder that keeps the clients between runs."""
    named = os.environ.get("LLMGATE_AGENTS")
    return Path(named) if named else Path.home() / ".cache" / "llmgate-agents"


def install(name: str, package: Package) -> Path:
    """Return the folder with *package*, installed there unless it is already."""
    folder = cache() / name
    done, wanted = folder / "installed.txt", "\n".join(package.requirements)
    if done.is_file() and done.read_text("utf-8") == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    commands = _npm(folder, package) if package.registry == "npm" else _pip(folder, package)
    for command in commands:
        _run(command, folder)
    done.write_text(wanted, "utf-8")
    return folder


def _npm(folder: Path, package: Package) -> list[list[str]]:
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    return [["npm", "install", "--prefix", str(folder), *quiet, *package.requirements]]


def _pip(folder: Path, package: Package) -> list[list[str]]:
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    return [[sys.executable, "-m", "venv", str(folder)], [*pip, *package.requirements]]


def _run(command: list[str], folder: Path) -> None:
    """Run *command* with a HOME in *folder*; registries are those of the machine's settings."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    for name in (".npmrc", ".config/pip/pip.conf", ".pip/pip.conf"):
        settings = Path.home() / name
        if settings.is_file():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(settings, home / name)
    try:
        subprocess.run(
            command,
            env={**os.environ, "HOME": str(home)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT,
            check=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout).strip().splitlines() or ["no output"]
        raise NotInstalled(f"{command[0]}: {lines[-1]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
