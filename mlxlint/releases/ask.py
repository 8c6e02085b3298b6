"""What is installed, what the package index has, what GitHub says: asked of Python, pip and gh, each a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

REPOSITORIES = {"mlx": "ml-explore/mlx", "mlx-lm": "ml-explore/mlx-lm"}
PIP_OPTIONS = ("--no-input", "--disable-pip-version-check", "--no-color", "--retries", "1")
VERSION_OF = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"

_AVAILABLE = re.compile(r"^Available versions: (.+)$", re.MULTILINE)
_YANKED = re.compile(r"Skipping link: yanked for reason: (.*): (\S+/([^/\s#]+)(?:#\S*)?) \(from ")
_UNREACHED = re.compile(r"Could not fetch URL (\S+): (.*) - skipping")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_NO_REASON = "<none given>"


class Unanswered(Exception):
    """What was asked for could not be learned; the argument is one line saying why."""


@dataclass(frozen=True)
class Published:
    """What the package index has: ``versions``, newest first, and the reasons of the ``yanked`` ones by version.

    ``trouble`` says what was not reached where there are several indexes.
    """

    versions: tuple[str, ...]
    yanked: dict[str, str] = field(default_factory=dict)
    trouble: str | None = None


@dataclass(frozen=True)
class Tagged:
    """The newest release on GitHub; ``date`` as in 2026-01-31."""

    tag: str
    date: str
    url: str


def installed(package: str, python: str) -> str | None:
    """The version installed for a Python; None when it has none, or there is no such Python."""
    if python == sys.executable:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None
    try:
        return _output([python, "-I", "-c", VERSION_OF, package], timeout=20).strip()
    except Unanswered:
        return None


def index(package: str, python: str, timeout: float) -> Published:
    """What the index that the user's pip is set up with has of a package, for this machine and that Python.

    Withdrawn releases are told by pip's log alone: it passes over them, and says why.

    Raises:
        Unanswered: when there is no pip, it could not reach the index, or its answer is not understood.
    """
    with tempfile.TemporaryDirectory(prefix="mlxlint-") as folder:
        path = Path(folder, "pip.log")
        command = [*_pip(python), "index", "versions", package, *PIP_OPTIONS, "--log", str(path)]
        try:
            listing = _output(command, timeout)
        except Unanswered as why:
            raise Unanswered(_unreached(_text(path)) or str(why)) from None
        log = _text(path)
    found = _AVAILABLE.search(listing)
    if found is None:
        raise Unanswered("pip's answer was not understood")
    versions = tuple(version for version in found[1].split(", ") if _is_version(version))
    return Published(versions, _withdrawn(package, log, versions), _unreached(log))


def github(package: str, timeout: float) -> Tagged:
    """The newest release on GitHub.

    Raises:
        Unanswered: when there is no gh, or it has no answer.
    """
    gh = shutil.which("gh")
    if gh is None:
        raise Unanswered("gh is not installed")
    answer = _output([gh, "api", f"repos/{REPOSITORIES[package]}/releases/latest"], timeout)
    try:
        latest = json.loads(answer)
        return Tagged(str(latest["tag_name"]), str(latest["published_at"])[:10], str(latest["html_url"]))
    except (ValueError, TypeError, KeyError):
        raise Unanswered("gh's answer was not understood") from None


def _pip(python: str) -> list[str]:
    """The pip of a Python; one of the path where that has none, as in environments made without."""
    try:
        _output([python, "-m", "pip", "--version"], timeout=20)
    except Unanswered:
        other = shutil.which("pip") or shutil.which("pip3")
        if other is None:
            raise Unanswered("pip is not installed") from None
        return [other]
    return [python, "-m", "pip"]


def _output(command: Sequence[str], timeout: float) -> str:
    """What a program prints.

    Raises:
        Unanswered: when it cannot be started, fails or takes too long.
    """
    quiet = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "PYTHONIOENCODING": "utf-8"}
    name = "pip" if "pip" in command else Path(command[0]).stem
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, env=os.environ | quiet
        )
    except subprocess.TimeoutExpired:
        raise Unanswered(f"{name} had no answer within {timeout:g} s") from None
    except OSError as error:
        raise Unanswered(f"{name} cannot be started: {error.strerror}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unanswered(f"{name}: {_clean(said[-1])}" if said else f"{name} ended with {done.returncode}")
    return done.stdout.decode("utf-8", "replace")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _unreached(log: str) -> str | None:
    """The first index that pip could not reach; one that just lacks the package was reached."""
    failed = (found for found in _UNREACHED.finditer(log) if not found[2].startswith("404"))
    return next((f"{_clean(found[1])} could not be reached: {_clean(found[2])}" for found in failed), None)


def _withdrawn(package: str, log: str, available: Sequence[str]) -> dict[str, str]:
    """The releases all of whose files were withdrawn, newest first, and why."""
    from packaging.version import Version

    found = {
        version: "" if line[1] == _NO_REASON else _clean(line[1])
        for line in _YANKED.finditer(log)
        for version in _versions_of(package, line[3])
        if version not in available
    }
    return {version: found[version] for version in sorted(found, key=Version, reverse=True)}


def _versions_of(package: str, filename: str) -> Iterator[str]:
    """The version of a wheel or source archive of a package; none of a file with another kind of name."""
    from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        name, version = parse(filename)[:2]
    except (InvalidSdistFilename, InvalidWheelFilename):
        return
    if name == package:
        yield str(version)


def _is_version(text: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return bool(Version(text))
    except InvalidVersion:
        return False


def _clean(text: str) -> str:
    """One line without credentials, and not a long one."""
    return " ".join(_CREDENTIALS.sub("//", text).split())[:200]
