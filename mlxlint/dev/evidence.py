"""Record what all reproductions do on one release after another: ``python -m mlxlint.dev.evidence``.

Each release is unpacked into a folder of its own, which stands before the installed packages when its workers start.
MLX's rules are run on every release of ``MLX``, MLX-LM's on every release of ``MLX_LM`` with the MLX of its time.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import click

from mlxlint.evidence import PATH, package_of, read, write
from mlxlint.registry import rules
from mlxlint.verify import Place, VerifyError, probe
from mlxlint.verify.mlx_lm_surface import CHECKS as LM_CHECKS
from mlxlint.verify.mlx_surface import CHECKS as MLX_CHECKS
from mlxlint.verify.probe import Report

MLX = tuple("0.26.5 0.27.1 0.28.0 0.29.0 0.29.4 0.30.0 0.30.6 0.31.0 0.31.1 0.31.2 0.32.0 0.32.2 0.32.4".split())
MLX_LM = {
    "0.22.5": "0.26.5", "0.23.2": "0.26.5", "0.24.1": "0.26.5", "0.25.3": "0.26.5", "0.26.0": "0.26.5",
    "0.26.4": "0.27.1", "0.27.1": "0.29.0", "0.28.0": "0.29.4", "0.28.4": "0.29.4", "0.29.1": "0.30.0",
    "0.30.2": "0.30.0", "0.30.7": "0.30.6", "0.31.1": "0.31.1", "0.31.3": "0.31.2", "0.32.0": "0.32.2",
    "0.32.1": "0.32.2", "0.32.2": "0.32.4",
}  # fmt: skip
OLD_TRANSFORMERS = "transformers<5"
CACHE = Path.home() / ".cache" / "mlxlint" / "releases"


def tree(folder: Path, *requirements: str, dependencies: bool = False) -> Path:
    """A folder with packages in it, filled once.

    Raises:
        subprocess.CalledProcessError: when pip cannot install them; the folder is then gone.
    """
    if folder.exists():
        return folder
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *requirements]
    try:
        subprocess.run(command if dependencies else [*command, "--no-deps"], check=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def mlx_tree(cache: Path, version: str) -> Path:
    backend = [f"mlx-cpu=={version}"] if sys.platform == "linux" else [f"mlx-metal=={version}"]
    return tree(cache / f"mlx-{version}", f"mlx=={version}", *backend)


def mlx_lm_site(cache: Path, version: str) -> list[Path]:
    """Folders for a release of MLX-LM: its own, its time's MLX, and the older transformers if it was written for it."""
    own = tree(cache / f"mlx-lm-{version}", f"mlx-lm=={version}")
    (package,) = distributions(name="mlx-lm", path=[str(own)])
    needs_new = any(re.match(r"transformers\W+5\.", line) for line in package.requires or ())
    older = [] if needs_new else [tree(cache / "transformers-4", OLD_TRANSFORMERS, dependencies=True)]
    return [own, mlx_tree(cache, MLX_LM[version]), *older]


def site_of(cache: Path, package: str, version: str) -> list[Path]:
    return [mlx_tree(cache, version)] if package == "mlx" else mlx_lm_site(cache, version)


def summary(report: Report) -> str:
    statuses = [outcome.verification.status for outcome in report.outcomes]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    return f"MLX {report.facts.mlx}, {report.facts.device}: {counts}"


def lacking(path: Path, package: str, version: str) -> list[str]:
    """The rules about a package of which no run on a release has told yet."""
    records = read(path)
    about = [code for code, rule in rules().items() if rule.repro is not None and package_of(code) == package]
    return [code for code in about if all(run.version(package) != version for run in records.get(code, ()))]


def prune(path: Path) -> None:
    """Take out what no rule and no check states any more, and runs without the package that one is about."""
    package = {code: package_of(code) for code in rules()}
    package |= {key: check.package for checks in (MLX_CHECKS, LM_CHECKS) for key, check in checks.items()}
    kept = {
        key: {run: seen for run, seen in entries.items() if run.version(package[key]) is not None}
        for key, entries in read(path).items()
        if key in package
    }
    write(path, kept)


@click.command()
@click.option(
    "--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True, help="Where releases are unpacked."
)
@click.option("--record", type=click.Path(path_type=Path), default=PATH, help="File of evidence to merge into.")
@click.option("--device", default="auto", show_default=True)
@click.option("--missing", is_flag=True, help="Run only the rules that have no evidence for a release yet.")
@click.option("--only", multiple=True, metavar="PACKAGE==VERSION", help="Run these releases alone.")
def main(cache: Path, record: Path, device: str, missing: bool, only: tuple[str, ...]) -> None:
    """Run all reproductions on each release and merge what was seen into the evidence."""
    stated = [("mlx", version) for version in MLX] + [("mlx-lm", version) for version in MLX_LM]
    failed = []
    for package, version in stated:
        name = f"{package}=={version}"
        if only and name not in only:
            continue
        select = lacking(record, package, version) if missing else []
        if missing and not select:
            continue
        try:
            site = tuple(map(str, site_of(cache, package, version)))
            report = probe(place=Place(device, site=site), packages=[package], select=select)
        except (subprocess.CalledProcessError, VerifyError) as error:
            failed.append(name)
            click.echo(f"{name}: {error}", err=True)
        else:
            report.record(record)
            click.echo(f"{name} ({summary(report)})")
    prune(record)
    if failed:
        raise click.ClickException(f"not recorded: {', '.join(failed)}")


if __name__ == "__main__":
    main()
