"""Forecasts a production run on the network that rehearsals stand for (`docs/forecast.md`). Pure."""

from collections.abc import Sequence

from approval_api.forecasting.costs import costs
from approval_api.forecasting.counts import count
from approval_api.forecasting.rehearsals import put_together
from dryrun_contract.network_forecast import MOST_GROUPS, NetworkForecast
from dryrun_contract.observation import Observation

_ASSUMPTIONS = (
    "the network is as the inventory says, and hosts of a class are alike",
    "production runs the same collectors with the same settings, on a machine like this one, on one segment",
    "what no stand-in covers may be found or missed: it is counted as unknown",
)


def forecast(observations: Sequence[Observation]) -> NetworkForecast:
    """Return the forecast from one rehearsal or several of one network. Raises UnlikeRehearsalsError.

    It lists the most frequent places and products; what all of them say is in its kinds.
    """
    whole = forecast_whole(observations)
    return whole.model_copy(
        update={"places": whole.places[:MOST_GROUPS], "products": whole.products[:MOST_GROUPS]}
    )


def forecast_whole(observations: Sequence[Observation]) -> NetworkForecast:
    """Return the forecast with every place and product of the census. Raises UnlikeRehearsalsError."""
    rehearsals = put_together(observations)
    counts = count(rehearsals)
    return NetworkForecast(
        network=rehearsals.network,
        hosts=rehearsals.hosts,
        hosts_covered=rehearsals.hosts_covered,
        targets=rehearsals.targets,
        sessions=len(observations),
        kinds=counts.kinds,
        places=counts.places,
        products=counts.products,
        inside=counts.inside,
        quantities=costs(rehearsals),
        assumptions=_ASSUMPTIONS,
        collectors=observations[0].collectors,
        scan=observations[0].scan,
    )
