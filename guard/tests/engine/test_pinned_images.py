"""Images on the engine, compared with those that the allowlist pins."""

import pytest
from guard_stage import WEB, WEB_ID, Guard, Words


async def test_a_retagged_or_missing_image_is_refused_with_403(guard: Guard):
    words = Words()
    await guard.make_session(words)
    guard.engine.images[WEB] = f"sha256:{'9' * 64}"
    anew = await guard.create(words.container(WEB))
    by_id = await guard.create(words.container(WEB_ID))
    assert (anew.status, by_id.status) == (403, 403)
    assert "is not on this engine" in by_id.message
    assert guard.engine.containers == {}


@pytest.mark.parametrize(
    "config",
    [
        {"Volumes": {"/data": {}}},
        {"Healthcheck": {"Interval": 50_000_000}},
        {"Healthcheck": {"StartInterval": 1}},
    ],
)
async def test_an_image_that_may_not_run_is_refused_though_it_is_pinned(guard: Guard, config):
    words = Words()
    await guard.make_session(words)
    guard.engine.image_configs[WEB_ID] = config
    assert (await guard.create(words.container())).status == 403
