"""Turns the metrics that a service keeps for Prometheus into OpenTelemetry's, under the same names."""

import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope


class Sample(Protocol):
    """One figure of a family, as prometheus_client has it."""

    @property
    def name(self) -> str:
        """The family's name, with a suffix such as `_sum` for a part of it."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of closed sets."""

    @property
    def value(self) -> float:
        """What it is now."""


class Family(Protocol):
    """The figures of one name."""

    @property
    def name(self) -> str:
        """Its name; that of a counter has no `_total`."""

    @property
    def documentation(self) -> str:
        """What it counts or measures."""

    @property
    def type(self) -> str:
        """`counter`, `gauge`, `histogram` or another."""

    @property
    def samples(self) -> Sequence[Sample]:
        """All of its figures."""


def metrics_of(
    families: Iterable[Family], resource: Resource, scope: InstrumentationScope, begun: int
) -> MetricsData:
    """Return counters, gauges and histograms as they are now; `begun` is when the process started, in ns."""
    now = time.time_ns()
    metrics = [metric for family in families if (metric := _metric(family, begun, now)) is not None]
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, "")], "")])


def _metric(family: Family, begun: int, now: int) -> Metric | None:
    match family.type:
        case "counter":
            points = _points(family, f"{family.name}_total", begun, now)
            total = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
            return Metric(f"{family.name}_total", family.documentation, None, total)
        case "gauge":
            return Metric(
                family.name, family.documentation, None, Gauge(_points(family, family.name, begun, now))
            )
        case "histogram":
            points_of = _histogram_points(family, begun, now)
            histogram = Histogram(points_of, AggregationTemporality.CUMULATIVE)
            return Metric(family.name, family.documentation, None, histogram)
        case _:
            return None


def _points(family: Family, name: str, begun: int, now: int) -> list[NumberDataPoint]:
    return [
        NumberDataPoint(dict(each.labels), begun, now, each.value)
        for each in family.samples
        if each.name == name
    ]


def _histogram_points(family: Family, begun: int, now: int) -> list[HistogramDataPoint]:
    """Return one point for each set of labels. Prometheus' buckets count what lower ones count, too."""
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    buckets: defaultdict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = defaultdict(list)
    for each in family.samples:
        labels = {**each.labels}
        bound = labels.pop("le", None)
        key = tuple(sorted(labels.items()))
        if each.name == f"{family.name}_sum":
            sums[key] = each.value
        elif bound is not None:
            buckets[key].append((float(bound), int(each.value)))
    points = []
    for key, found in buckets.items():
        bounds, counts = zip(*sorted(found), strict=True)
        own = [count - before for count, before in zip(counts, (0, *counts), strict=False)]
        points.append(
            # Prometheus keeps no extremes: NaN, which no reader takes for one.
            HistogramDataPoint(
                dict(key), begun, now, counts[-1], sums.get(key, 0.0), own, bounds[:-1], math.nan, math.nan
            )
        )
    return points
