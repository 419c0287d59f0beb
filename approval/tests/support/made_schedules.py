"""Schedules for tests: made, shown, and due when a test wants."""

from sqlalchemy import text

EXPERIMENT = {"name": "nightly", "templates": ["small"], "seeds": [3]}
WANTED = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "experiment": EXPERIMENT}


async def create(api, **changes):
    answer = await api.post("/schedules", json=WANTED | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def move_clock(api, schedule_id, past="1 hour"):
    """Let the next time of a schedule lie in the past."""
    async with api.app.state.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE gateway.schedules SET next_at = now() - CAST(:past AS text)::interval,"
                " resumed_at = now() - interval '1 year' WHERE id = CAST(:id AS uuid)"
            ),
            {"id": schedule_id, "past": past},
        )


async def show(api, schedule_id):
    return (await api.get(f"/schedules/{schedule_id}")).json()


def states(schedule):
    return [each["state"] for each in schedule["firings"]]


async def fired(api, schedule_id, count, eventually):
    async def met():
        schedule = await show(api, schedule_id)
        done = len(schedule["firings"]) >= count and "starting" not in states(schedule)
        return schedule if done else None

    return await eventually(met, 20)
