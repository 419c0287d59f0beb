"""File systems of a few megabytes in a file, so that a full disk is full for one program only (root)."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024 * 1024


class SmallDisk:
    """A mounted file system; `fill` leaves no byte of it, `free` gives them back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Write until nothing more fits."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (MIB, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        """Remove what `fill` wrote."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[SmallDisk]:
    """Mount a new file system of `size_mib` at `folder`."""
    image = folder.with_name(f"{folder.name}.img")
    with image.open("wb") as file:
        file.truncate(size_mib * MIB)
    # No reserve for root: full means full for everybody.
    run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image))
    folder.mkdir()
    run("mount", "-o", "loop", str(image), str(folder))
    try:
        (folder / "lost+found").rmdir()
        yield SmallDisk(folder)
    finally:
        run("umount", "--lazy", str(folder))
        image.unlink()


def run(*command: str) -> None:
    """Run a command; AssertionError with what it complained of when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
