"""The settings of the VS Code extension, made of the server's: ``python -m mlxlint.dev.vscode`` writes them anew."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mlxlint.config import KEYS, Key
from mlxlint.server.settings import OWN

PACKAGE = Path(__file__).parents[2] / "editors" / "vscode" / "package.json"
OF_REPORTS = {"extend", "fail-on", "jobs", "output-format", "statistics", "verify"}  # of no use in an editor
OF_A_MACHINE = {"interpreter"}  # where its programs are
_HYPHEN = re.compile(r"-([a-z])")


def with_settings(package: dict[str, Any]) -> dict[str, Any]:
    """The extension's manifest with the settings that the server has now; those of the extension itself come first."""
    own, *_ = package["contributes"]["configuration"]
    contributes = {**package["contributes"], "configuration": [own, {"title": "Checks", "properties": settings()}]}
    return {**package, "contributes": contributes}


def settings() -> dict[str, dict[str, Any]]:
    keys = {**OWN, **{_camel(name): key for name, key in KEYS.items() if name not in OF_REPORTS}}
    return {f"mlxlint.{name}": _setting(name, key) for name, key in keys.items()}


def _setting(name: str, key: Key) -> dict[str, Any]:
    scope = "machine-overridable" if name in OF_A_MACHINE else "resource"
    default = {} if key.default is None else {"default": key.default}
    return {**key.schema, **default, "scope": scope, "markdownDescription": key.doc}


def _camel(name: str) -> str:
    return _HYPHEN.sub(lambda match: match[1].upper(), name)


if __name__ == "__main__":
    written = json.dumps(with_settings(json.loads(PACKAGE.read_text(encoding="utf-8"))), indent=2)
    PACKAGE.write_text(written + "\n", encoding="utf-8")
