"""The process in which forecasts are made and checked: hostile text and long sums stay out of the server."""

import zlib
from collections.abc import Sequence

from approval_api.computing.worker_loop import Task, serve
from approval_api.forecasting.check import compare
from approval_api.forecasting.forecast import forecast, forecast_whole
from approval_api.forecasting.rehearsals import UnlikeRehearsalsError
from dryrun_contract.observation import Observation
from dryrun_contract.production_counts import ProductionCounts
from dryrun_contract.report import Report


def observe(kept: bytes) -> tuple[bytes, ...]:
    """Return what a forecast needs of a report, which is compressed; nothing if it stands for no network."""
    seen = Report.model_validate_json(zlib.decompress(kept)).observation
    return (b"" if seen is None else seen.model_dump_json().encode("utf-8", "replace"),)


def forecast_from(*observations: bytes) -> tuple[bytes, ...]:
    """Return the forecast from several rehearsals; or nothing, and why there is none."""
    try:
        known = forecast(_read(observations))
    except UnlikeRehearsalsError as error:
        return b"", str(error).encode("utf-8", "replace")
    return known.model_dump_json().encode("utf-8", "replace"), b""


def check(outcome: bytes, *observations: bytes) -> tuple[bytes, ...]:
    """Return the forecast from several rehearsals beside an outcome; or nothing, and why there is none."""
    seen = _read(observations)
    try:
        known = forecast_whole(seen)
    except UnlikeRehearsalsError as error:
        return b"", str(error).encode("utf-8", "replace")
    most_on_a_host = min(each.census.most_on_a_host for each in seen)
    found = compare(known, ProductionCounts.model_validate_json(outcome), most_on_a_host)
    return found.model_dump_json().encode("utf-8", "replace"), b""


def _read(observations: Sequence[bytes]) -> list[Observation]:
    return [Observation.model_validate_json(each) for each in observations]


_TASKS: dict[bytes, Task] = {b"observe": observe, b"forecast": forecast_from, b"check": check}


def main() -> None:
    """Serve until standard input ends."""
    serve(_TASKS, "a forecast failed")


if __name__ == "__main__":
    main()
