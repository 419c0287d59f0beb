"""The health check of images/healthy, compiled for tests with the compiler's checks of memory."""

import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "images/healthy/healthy.c"
_CHECKED = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


class HealthCheck:
    """The program, with a question file of its own."""

    def __init__(self, folder: Path) -> None:
        self.question, self.program = folder / "question", folder / "healthy"
        own = f'-DQUESTION="{self.question}"'
        command = ["cc", "-std=gnu17", "-D_GNU_SOURCE", *_CHECKED, own, "-o", str(self.program), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr

    def ask(self, question: str, seconds: float) -> subprocess.CompletedProcess[str]:
        """Return what it says after asking for at most `seconds`."""
        self.question.write_text(question)
        command = [str(self.program), str(seconds)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
