"""A Dask cluster in place of worker processes: its workers check the same batches, and run reproductions.

The workers need mlxlint as it is here, and see the same files at the same paths.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mlxlint.run import ExecutorError

if TYPE_CHECKING:
    from distributed import Client

    from mlxlint.rule import Verification
    from mlxlint.verify.pool import Facts, Limits, Place, Task

SCHEME = "dask://"
WAIT = 10.0  # seconds for a scheduler to answer
_DEVICES = ("metal", "cuda", "cpu")  # the best first


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """The cluster of a scheduler at ``dask://HOST:PORT``.

    Raises:
        ExecutorError: when there is none, or something fails on it.
    """
    if not address.startswith(SCHEME):
        raise ExecutorError(f"expected {SCHEME}HOST:PORT, not `{address}`")
    try:
        from distributed import Client
    except ImportError:
        raise ExecutorError("a Dask cluster needs `pip install mlxlint[dask]`") from None
    try:
        with Client(f"tcp://{address[len(SCHEME) :]}", timeout=WAIT, set_as_default=False) as client:
            yield Cluster(client, address)
    except ExecutorError as error:
        raise ExecutorError(f"{address}: {error}") from None
    except (OSError, ImportError, RuntimeError, ValueError) as error:
        raise ExecutorError(f"{address}: {type(error).__name__}: {error}") from error


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, client: Client, address: str) -> None:
        self._client = client
        self.jobs = sum(client.nthreads().values())
        if not self.jobs:
            raise ExecutorError("the scheduler has no workers")

    @property
    def death(self) -> type[Exception]:
        """Raised when each worker that was given a batch has died of it."""
        from distributed import KilledWorker

        return KilledWorker  # type: ignore[no-any-return]

    @contextmanager
    def executor(self, jobs: int) -> Iterator[Executor]:
        with self._client.get_executor(pure=False) as executor:
            yield executor

    def reproduce(
        self, tasks: Sequence[Task], place: Place, limits: Limits, jobs: int | None = None
    ) -> tuple[Facts, list[Verification]]:
        """Run reproductions on the workers with the device asked for, or with the best there is.

        Raises:
            VerifyError: when no worker can serve.
        """
        able = self._able(place.device, limits)
        results: list[Verification | None] = [None] * len(tasks)
        with self._client.get_executor(pure=False, workers=[worker for worker, _ in able]) as executor:
            shares = [range(start, len(tasks), len(able)) for start in range(len(able))]
            futures = [executor.submit(reproduce, [tasks[i] for i in share], place.device, limits) for share in shares]
            for share, future in zip(shares, futures):
                for index, result in zip(share, future.result()[1]):
                    results[index] = result
        return able[0][1], [result for result in results if result is not None]

    def _able(self, device: str, limits: Limits) -> list[tuple[str, Facts]]:
        """The workers that can run reproductions on a device, with what they are."""
        from mlxlint.verify.pool import DeviceUnavailable, VerifyError

        answers = self._client.run(reproduce, [], device, limits, on_error="return")
        able = [(worker, answer[0]) for worker, answer in answers.items() if not isinstance(answer, BaseException)]
        if not able:
            failures = [answer for answer in answers.values() if isinstance(answer, VerifyError)]
            raise failures[0] if failures else DeviceUnavailable(f"no worker of the cluster has the device {device}")
        best = min((facts.device for _, facts in able), key=_DEVICES.index)
        return [(worker, facts) for worker, facts in able if facts.device == best]


def reproduce(tasks: Sequence[Task], device: str, limits: Limits) -> tuple[Facts, list[Verification]]:
    """What a worker does: run reproductions with its own Python.

    Raises:
        VerifyError: when it cannot.
    """
    from mlxlint.verify.pool import Place, run

    for task in tasks:
        importlib.import_module(task.module)
    return run(tasks, Place(device), limits)
