"""Devices by the names that other libraries give them."""

from __future__ import annotations

import re

_NAME = re.compile(r"(cpu|gpu|cuda|mps|metal|xpu)(:\d+)?")


def device_called(text: object) -> str | None:
    """MLX's device for a name such as "cuda:0": "cpu" or "gpu"; None when it is no device's name."""
    match = _NAME.fullmatch(text.lower()) if isinstance(text, str) else None
    return None if match is None else "cpu" if match[1] == "cpu" else "gpu"
