"""Reproductions on real MLX: of findings (``verify``, ``run_one``) and of everything that is known (``probe``)."""

from __future__ import annotations

from mlxlint.verify.check import run_one, verify
from mlxlint.verify.pool import DeviceUnavailable, Limits, MlxMissing, Place, VerifyError
from mlxlint.verify.probe import probe

__all__ = ["DeviceUnavailable", "Limits", "MlxMissing", "Place", "VerifyError", "probe", "run_one", "verify"]
