"""``mlxlint releases``: what is asked and what is not, on an index of this test's own; what changed, by the record."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mlxlint.cli import Failure
from mlxlint.evidence import recorded
from mlxlint.model import api
from mlxlint.registry import rules
from mlxlint.releases.changes import UnknownRelease, changes, known, resolve
from mlxlint.releases.command import releases_command

Releases = Callable[..., str]
LINK = '<a href="{url}"{more}>{name}</a>'
TAGGED = {"tag_name": "v9.8.7", "published_at": "2031-02-03T04:05:06Z", "html_url": "https://example.org/v9.8.7"}


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Releases:
    """Run the command, with neither an index nor gh but those that a test sets up; what it printed."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "MLXLINT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def run(*arguments: str) -> str:
        assert releases_command.main(list(arguments), standalone_mode=False) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Serve pages of links, by package, from a folder."""

    def serve(**links: list[tuple[str, str]]) -> None:
        for package, files in links.items():
            page = tmp_path / "index" / package.replace("_", "-") / "index.html"
            page.parent.mkdir(parents=True)
            page.write_text("\n".join(LINK.format(url=name, name=name, more=more) for name, more in files))
        monkeypatch.delenv("PIP_NO_INDEX", raising=False)
        monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index").as_uri())

    return serve


def program(path: Path, text: str) -> str:
    """An executable Python script."""
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def wheel(version: str, more: str = "") -> tuple[str, str]:
    return f"mlx-{version}-py3-none-any.whl", more


def described(releases: Releases, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(releases("--output-format", "json", *arguments))
    return found


def test_published_and_withdrawn_releases(releases: Releases, index: Callable[..., None]) -> None:
    index(
        mlx=[
            wheel("9.0.0"),
            wheel("8.2.0"),
            wheel("8.1.0", ' data-yanked="wrong: results (see &lt;notes&gt;)"'),
            wheel("8.0.0", ' data-yanked=""'),
            wheel("7.0.0", ' data-yanked="one file of two"'),
            ("mlx-7.0.0.tar.gz", ""),
            ("mlx-odd.whl", ' data-yanked="x"'),
        ]
    )
    found = described(releases, "--package", "mlx")["mlx"]
    assert found["published"]["newest"] == "9.0.0"
    assert found["published"]["versions"] == ["9.0.0", "8.2.0", "7.0.0"]
    assert found["published"]["yanked"] == {"8.1.0": "wrong: results (see <notes>)", "8.0.0": ""}
    text = releases("--package", "mlx")
    assert "8.1.0 (yanked: wrong: results (see <notes>))" in text
    assert "8.0.0 (yanked)\n" in text
    assert "9.0.0 is newer than this mlxlint: `mlxlint probe`" in text


def test_installed_release_that_was_withdrawn(releases: Releases, index: Callable[..., None], tmp_path: Path) -> None:
    python = program(
        tmp_path / "python",
        "import os, sys\n"
        "if '-c' in sys.argv: print('8.0.0')\n"
        f"else: os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n",
    )
    index(mlx=[wheel("9.0.0"), wheel("8.0.0", ' data-yanked="broken"')])
    text = releases("--package", "mlx", "--python", python)
    assert "installed  8.0.0 (yanked: broken)" in text
    assert "`mlxlint releases --package mlx --from 8.0.0`" in text


def test_each_package_is_asked_for(releases: Releases, index: Callable[..., None]) -> None:
    index(mlx=[wheel("9.0.0")], mlx_lm=[("mlx_lm-9.1.0.tar.gz", "")])
    found = described(releases)
    assert [found[package]["published"]["newest"] for package in ("mlx", "mlx-lm")] == ["9.0.0", "9.1.0"]


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port of loopback that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_index_out_of_reach(releases: Releases, monkeypatch: pytest.MonkeyPatch, silent_server: int) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://someone:secret@127.0.0.1:1/simple")
    found = described(releases, "--package", "mlx")["mlx"]
    (unreached, _) = found["unanswered"]
    assert unreached.startswith("the package index: http://127.0.0.1:1/simple/mlx/ could not be reached")
    assert found["known"] == api.versions("mlx")[-1]

    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent_server}/simple")
    text = releases("--package", "mlx", "--timeout", "2")
    assert "not known  the package index: pip had no answer within 2 s" in text


def test_one_index_of_two_is_out_of_reach(
    releases: Releases, index: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    index(mlx=[wheel("9.0.0")])
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:1/simple")
    found = described(releases, "--package", "mlx")["mlx"]
    assert found["published"]["newest"] == "9.0.0"
    assert "http://127.0.0.1:1/simple/mlx/ could not be reached" in found["unanswered"][0]


def test_package_that_the_index_lacks(releases: Releases, index: Callable[..., None]) -> None:
    index()
    assert "not known  the package index: pip: ERROR: No matching distribution found for mlx\n" in releases()


def test_without_pip_the_path_is_tried(releases: Releases, tmp_path: Path) -> None:
    without = program(tmp_path / "python", "import sys; sys.exit('No module named pip')")
    text = releases("--package", "mlx", "--python", without)
    assert "installed  no\n" in text
    assert "not known  the package index: pip is not installed\n" in text
    program(tmp_path / "bin" / "pip", "print('mlx (9.9.9)\\nAvailable versions: 9.9.9, 9.9.8')")
    assert "published  9.9.9\n" in releases("--package", "mlx", "--python", without)
    assert "installed  no\n" in releases("--package", "mlx", "--offline", "--python", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("print('mlx, all of it')", "pip's answer was not understood"),
        ("print('Available versions: newest, 1.0')", "published  1.0"),
        ("print('Available versions: newest')", "published  none for this machine and Python"),
        ("sys.exit('ERROR: unknown command \"index\"')", 'pip: ERROR: unknown command "index"'),
        ("sys.exit(3)", "pip ended with 3"),
    ],
)
def test_odd_answers_of_pip(releases: Releases, tmp_path: Path, says: str, told: str) -> None:
    python = program(tmp_path / "python", f"import sys\nif '--version' not in sys.argv: {says}")
    assert f"{told}\n" in releases("--package", "mlx", "--python", python)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (f"print({json.dumps(json.dumps(TAGGED))})", "GitHub     v9.8.7 of 2031-02-03, https://example.org/v9.8.7"),
        ("sys.exit('To get started with GitHub CLI, please run:  gh auth login')", "GitHub: gh: To get started with"),
        ("print('[]')", "GitHub: gh's answer was not understood"),
        ("print('null, or so')", "GitHub: gh's answer was not understood"),
    ],
)
def test_answers_of_github(releases: Releases, tmp_path: Path, says: str, told: str) -> None:
    asked = ["api", "repos/ml-explore/mlx/releases/latest"]
    program(tmp_path / "bin" / "gh", f"import sys\nassert sys.argv[1:] == {asked}\n{says}")
    assert told in releases("--package", "mlx")


def test_offline_nothing_is_asked(releases: Releases, tmp_path: Path) -> None:
    program(tmp_path / "bin" / "gh", f"open({str(tmp_path / 'asked')!r}, 'w')")
    found = described(releases, "--offline")
    assert not (tmp_path / "asked").exists()
    assert found["mlx"]["unanswered"] == ["the package index: not asked", "GitHub: not asked"]
    runs = {run.mlx for entries in recorded().values() for run in entries}
    assert found["mlx"]["run"] in runs


# What changed


def test_names_and_rules_that_changed(releases: Releases) -> None:
    text = releases("--from", "0.31", "--to", "0.32")
    assert text.startswith("mlx 0.31.2 to 0.32")
    for line in ("  mlx.core.full_like", "  mlx.nn.fsdp_apply_gradients", "  mlx.core.zeros_like: +dtype"):
        assert f"{line}\n" in text
    found = described(releases, "--from", "0.31", "--to", "0.32.4")
    assert "mlx.nn.fsdp_apply_gradients" in found["removed"]
    states = {turn["key"]: turn["state"] for turn in found["rules"] + found["checks"]}
    assert states["MLX222"] == states["full-like-exists"] == "begins"


def test_deprecated_since_there_is_a_replacement() -> None:
    (told,) = changes("mlx", "0.30.3", "0.30.4").deprecated
    assert told.startswith("mlx.core.metal.device_info: ")
    assert changes("mlx", "0.31.0", "0.32.4").deprecated == ()


def test_each_deprecated_name_has_a_replacement_that_is_known() -> None:
    told = changes("mlx", known("mlx")[0], known("mlx")[-1]).deprecated
    assert {line.partition(": ")[0] for line in told} == api.deprecations("mlx").keys()


@pytest.mark.parametrize("package", ["mlx", "mlx-lm"])
def test_changes_between_all_neighbours(package: str) -> None:
    """Every release differs from itself in nothing, and back again is the other way round."""
    for before, after in zip(known(package)[-12:], known(package)[-11:], strict=False):
        there, back = changes(package, before, after), changes(package, after, before)
        assert (there.added, there.removed) == (back.removed, back.added)
        assert {turn.key for turn in there.rules} <= rules().keys()
        assert changes(package, after, after).is_empty


def test_names_that_were_never_published_are_said_so(releases: Releases) -> None:
    assert changes("mlx", "0.31.2", "0.32.0").unpublished == ("0.32.0",)
    assert "names of 0.32.0 were never published" in releases("--from", "0.31.2", "--to", "0.32.0")


def test_only_the_outermost_name_is_told() -> None:
    added = changes("mlx-lm", "0.31.3", "0.32.2").added
    assert "mlx_lm.cli_ui" in added
    assert not [name for name in added if name.startswith("mlx_lm.cli_ui.")]


def test_nothing_changed(releases: Releases) -> None:
    assert "nothing that is on record" in releases("--from", "0.32.3", "--to", "0.32.3")


@pytest.mark.parametrize(
    ("text", "release"),
    [("0.31", "0.31.2"), ("v0.31.1", "0.31.1"), ("0.27.9", "0.27.1"), (None, known("mlx")[-1])],
)
def test_release_that_a_version_stands_for(text: str | None, release: str) -> None:
    assert resolve("mlx", text) == release


@pytest.mark.parametrize("text", ["99", "0.0.1", "newest", ""])
def test_release_that_is_not_known(text: str, releases: Releases) -> None:
    with pytest.raises(UnknownRelease, match=r"they are 0\.8\.1 to"):
        resolve("mlx", text)
    if text:
        with pytest.raises(Failure, match=f"no mlx {text} is known"):
            releases("--from", text)


def test_to_needs_from(releases: Releases) -> None:
    import click

    with pytest.raises(click.UsageError, match="--to goes with --from"):
        releases("--to", "0.32")
