"""Spreads what takes long over days: each day another share is tested, each night everything."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime


def todays_share[T](things: Sequence[T], every: int) -> list[T]:
    """Return one in `every` of the things, another share each day; all of them with DRYRUN_SHARE=all.

    The same in every worker, which have to collect the same tests.
    """
    if os.environ.get("DRYRUN_SHARE") == "all":
        return list(things)
    return list(things)[datetime.now(UTC).toordinal() % every :: every]
