import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stage import Stage


@pytest.fixture
async def stage(tmp_path):
    made = Stage(tmp_path)
    async with made.engine:
        yield made
