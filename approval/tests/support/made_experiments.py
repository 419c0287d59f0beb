"""Experiments that tests request, and what they wait for."""

ARMS = {"old": ["network"], "new": ["network-2"]}
WANTED = {"name": "old or new", "templates": ["small"], "seeds": [3, 4], "repetitions": 2, "collectors": ARMS}


async def request(api, **changes):
    """Request `WANTED` with `changes`; return the experiment."""
    answer = await api.post("/experiments", json=WANTED | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def until(api, experiment_id, condition, eventually, seconds=40):
    """Return the experiment as soon as it meets a condition."""

    async def met():
        shown = (await api.get(f"/experiments/{experiment_id}")).json()
        return shown if condition(shown) else None

    return await eventually(met, seconds)


def is_summed_up(shown):
    """Whether it is done, and its results count every session that was measured."""
    results = shown["results"]
    counted = sum(arm["measured"] for arm in results["arms"]) if results else 0
    return shown["state"] == "done" and counted == shown["measured"]
