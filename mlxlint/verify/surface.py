"""What MLX and MLX-LM promise beside the rules: small statements about their surface, each run by ``mlxlint probe``.

A statement that has stopped to hold is kept: the recorded evidence says until which release it held.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlxlint.rule import Observation

Function = Callable[..., Observation]


@dataclass(frozen=True)
class Check:
    """A statement and the function that observes whether it holds; ``package`` is the one that it is about."""

    name: str
    statement: str
    run: Function
    package: str


class Checks(dict[str, Check]):
    """Checks by name, all about one package."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package

    def add(self, statement: str) -> Callable[[Function], Function]:
        """Register a function as the check of a statement, under its own name. A name that it misses refutes it."""

        def register(run: Function) -> Function:
            @functools.wraps(run)
            def observe(**parameters: Any) -> Observation:
                try:
                    return run(**parameters)
                except AttributeError as error:
                    return Observation(False, str(error))

            name = run.__name__.replace("_", "-")
            self[name] = Check(name, statement, observe, self.package)
            return observe

        return register


def together(**parts: object) -> Observation:
    """Holds when all named parts do; says which do not, or names them all."""
    failed = [name for name, value in parts.items() if not value]
    return Observation(not failed, f"not so: {', '.join(failed)}" if failed else f"all so: {', '.join(parts)}")


def expected(got: object, wanted: object) -> Observation:
    return Observation(got == wanted, f"{got}" if got == wanted else f"{got}, stated {wanted}")


def present(owner: object, *names: str) -> Observation:
    missing = [name for name in names if not hasattr(owner, name)]
    return Observation(not missing, f"missing: {', '.join(missing)}" if missing else f"there: {', '.join(names)}")


def absent(owner: object, *names: str) -> Observation:
    there = [name for name in names if hasattr(owner, name)]
    return Observation(not there, f"there: {', '.join(there)}" if there else f"absent: {', '.join(names)}")


@contextlib.contextmanager
def standard_error() -> Iterator[list[str]]:
    """Collects what is written to file descriptor 2, where MLX's C++ code puts deprecations."""
    text: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield text
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            text.append(file.read().decode(errors="replace"))
