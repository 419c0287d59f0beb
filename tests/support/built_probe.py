"""The isolation probe, compiled for tests: the program itself, and one that says what frames mean."""

import functools
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "images/probe"
MEANINGS = Path(__file__).with_name("probe_meanings.c")
_CHECKED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@functools.cache
def probe_program() -> Path:
    """Return the probe's program."""
    return _compiled("probe", *SOURCE.glob("*.c"))


@functools.cache
def checked_probe_program() -> Path:
    """Return the probe's program, which behaviour that C does not define ends with an error."""
    return _compiled("checked-probe", *_CHECKED, *SOURCE.glob("*.c"))


@functools.cache
def meanings_program() -> Path:
    """Return a program that reads `MAC FRAME` in hex, a line each, and prints role and words of each.

    An access outside of a frame, or behaviour that C does not define, ends it with an error.
    """
    return _compiled("meanings", *_CHECKED, MEANINGS, SOURCE / "frames.c")


@functools.cache
def overlay_meanings_program() -> Path:
    """Return one that prints of each frame what it decides on an overlay.

    That is: exit code or -1, reason, whether the other host 10.213.0.27 has answered, and how many speak.
    """
    return _compiled("overlay-meanings", *_CHECKED, "-DOVERLAY", MEANINGS, SOURCE / "frames.c")


@functools.cache
def configs_program() -> Path:
    """Return a program that reads configurations, each ended by NUL, and prints what came of each."""
    return _compiled("configs", *_CHECKED, "-DCONFIGS", MEANINGS, SOURCE / "config.c")


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return this process's folder of programs, which is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="dryrun-probe-")


def _compiled(name: str, *parts: str | Path) -> Path:
    program = Path(_folder().name) / name
    command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", f"-I{SOURCE}", "-o", str(program), *map(str, parts)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return program
