"""What the server remembers of files is what they hold."""

from __future__ import annotations

import os
from pathlib import Path

from mlxlint.server.disk import Disk


def text(disk: Disk, path: Path, unsaved: bytes | None = None) -> str | None:
    source = disk.file(str(path), unsaved).source
    return None if source is None else source.text


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "a.py"
    assert text(disk, path) is None
    path.write_text("import mlx.core\n")
    assert text(disk, path) == "import mlx.core\n"
    assert disk.file(str(path), None) is disk.file(str(path), None)
    path.write_text("import mlx.nn__\n")
    os.utime(path, ns=(1, 1))
    assert text(disk, path) == "import mlx.nn__\n"
    assert disk.file(str(path), None).imports == [("", "", "mlx.nn__")]
    path.unlink()
    assert text(disk, path) is None


def test_what_is_not_saved_stands_for_what_is(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "a.py"
    path.write_text("x = 1\n")
    assert text(disk, path, b"x = 2\n") == "x = 2\n"
    assert text(disk, path, b"x = 3\n") == "x = 3\n"
    assert text(disk, path) == "x = 1\n"
    assert text(disk, tmp_path / "none.py", b"x = 4\n") == "x = 4\n"


def test_of_what_does_not_concern_no_text_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import mlx.core\n")
    file, asked = Disk().file(str(tmp_path / "a.py"), None), []
    for _ in range(2):
        assert not file.tells(lambda text: bool(asked.append(text)))  # another function each time
    assert len(asked) == 2
    assert "source" not in vars(file)
    assert file.tells("mlx".__eq__) is False
    assert file.imports == [("", "", "mlx.core")]
