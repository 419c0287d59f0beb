"""What rehearsals predict of a second network, half of whose products have no recipe."""

from bench.parts.prediction import measured_on
from bench.results import PartResult
from bench.turns import Setting


async def measure(setting: Setting) -> PartResult:
    """Measure with the network `campus`."""
    return await measured_on("campus", "prediction_campus", setting)
