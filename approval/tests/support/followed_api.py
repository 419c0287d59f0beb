"""The API's follower of the orchestrator, ended so that a test decides what becomes known of sessions."""

import asyncio


async def stop_following(api):
    """Leave the session's row to its own request and the outbox."""
    (follower,) = [task for task in asyncio.all_tasks() if task.get_name() == "follower"]
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)
