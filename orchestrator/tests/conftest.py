import pytest
from stage import Stage


@pytest.fixture
async def stage(tmp_path):
    made = Stage(tmp_path)
    async with made.engine:
        yield made
