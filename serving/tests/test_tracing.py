"""What is exported, and that an exporter in trouble costs its service nothing."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest
from otlp_receiver import Receiver, receiving
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from pydantic import TypeAdapter, ValidationError

from dryrun_contract.trace_context import TraceContext
from dryrun_serving import otlp
from dryrun_serving.telemetry import CollectorUrl, Telemetry
from dryrun_serving.tracing import Span, client_span, inside

ROOT = TraceContext(0xA, 0xB)


def span(number: int = 1, parent: TraceContext | None = ROOT) -> Span:
    return Span(
        f"work {number}", TraceContext(0xA, number + 100), parent, 1000.5, 1001.75, "client", {"n": number}
    )


@pytest.fixture
async def receiver(monkeypatch):
    monkeypatch.setattr(otlp, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(otlp, "EXPORT_SECONDS", 0.3)
    async with receiving() as receiver:
        yield receiver


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_span_arrives_as_it_was_recorded(receiver: Receiver):
    async with Telemetry("a service", receiver.url, list) as telemetry:
        assert telemetry.record is not None
        telemetry.record(span())
        telemetry.record(Span("root", ROOT, None, 1000, 1002, failed=True))
        await until(lambda: len(receiver.spans) == 2)
    work, root = sorted(receiver.spans, key=lambda each: each.name, reverse=True)
    assert (work.service, work.name, work.attributes, work.failed) == ("a service", "work 1", {"n": 1}, False)
    assert (int(work.trace, 16), int(work.id, 16), int(work.parent, 16)) == (0xA, 101, 0xB)
    assert (work.begin, work.end) == (1000_500_000_000, 1001_750_000_000)
    assert (int(root.trace, 16), int(root.id, 16), root.parent, root.failed) == (0xA, 0xB, "", True)


async def test_figures_arrive_under_the_names_that_prometheus_reads(receiver: Receiver):
    registry = CollectorRegistry()
    Counter("things", "Things.", ["kind"], registry=registry).labels("a").inc(3)
    Gauge("level", "Level.", registry=registry).set(2)
    seconds = Histogram("seconds", "Seconds.", ["route"], buckets=(1, 2), registry=registry).labels("/")
    for each in (0.5, 1.5, 9):
        seconds.observe(each)
    async with Telemetry("a service", receiver.url, registry.collect):
        pass  # the end sends what there is
    assert receiver.metrics == {"a service": {"things_total", "level", "seconds"}}
    (metrics,) = otlp.metrics_of(
        registry.collect(), otlp.Resource({}), otlp.InstrumentationScope("x"), 1
    ).resource_metrics
    points = {each.name: each.data.data_points[0] for each in metrics.scope_metrics[0].metrics}
    assert (points["things_total"].value, points["things_total"].attributes) == (3, {"kind": "a"})
    assert (points["seconds"].bucket_counts, points["seconds"].explicit_bounds) == ([1, 1, 1], (1.0, 2.0))
    assert (points["seconds"].count, points["seconds"].sum, points["seconds"].attributes) == (
        3,
        11,
        {"route": "/"},
    )


async def test_figures_that_cannot_be_read_once_are_logged_and_sent_the_next_time(
    receiver: Receiver, monkeypatch, caplog
):
    monkeypatch.setattr(otlp, "FIGURES_SECONDS", 0.02)
    registry = CollectorRegistry()
    Gauge("level", "Level.", registry=registry).set(2)
    asked = []

    def families():
        asked.append(len(asked))
        if len(asked) < 3:
            raise RuntimeError("dictionary changed size during iteration")
        return registry.collect()

    async with Telemetry("a service", receiver.url, families):
        await until(lambda: receiver.metrics)
    assert receiver.metrics == {"a service": {"level"}}
    said = [each for each in caplog.records if each.name == otlp.logger.name]
    assert [each.levelname for each in said] == ["ERROR"] * 2
    assert "figures could not be sent" in said[0].message


@pytest.mark.parametrize("mode", ["hang", "reset", "redirect", "flood", "away"])
async def test_a_collector_in_trouble_costs_its_service_nothing(receiver: Receiver, mode, monkeypatch):
    monkeypatch.setattr(otlp, "CLOSE_SECONDS", 0.5)
    receiver.mode = mode
    url = "http://127.0.0.1:9" if mode == "away" else receiver.url
    async with Telemetry("a service", url, list) as telemetry:
        assert telemetry.record is not None
        took = []
        for number in range(3 * otlp.MAX_QUEUE):
            begun = time.perf_counter()
            telemetry.record(span(number))
            took.append(time.perf_counter() - begun)
            if number % 500 == 0:
                await asyncio.sleep(0.01)
        assert sorted(took)[-30] < 0.05, "recording waited for the collector"
        leaving = time.monotonic()
    assert time.monotonic() - leaving < 2
    assert receiver.strayed == 0


def test_without_a_collector_no_library_is_imported_and_no_thread_runs():
    program = """
import asyncio, sys, threading
from dryrun_serving.telemetry import Telemetry
async def main():
    async with Telemetry("a service", None, list) as telemetry:
        assert telemetry.record is None
        assert threading.active_count() == 1
asyncio.run(main())
costly = ("opentelemetry.sdk", "opentelemetry.exporter", "requests")
print([name for name in sys.modules if name.startswith(costly)])
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


async def test_the_exporters_threads_end_with_it(receiver: Receiver):
    before = set(threading.enumerate())
    async with Telemetry("a service", receiver.url, list) as telemetry:
        assert telemetry.record is not None
        telemetry.record(span())
        assert set(threading.enumerate()) - before
    await until(
        lambda: not [each for each in set(threading.enumerate()) - before if "otlp" in each.name.lower()]
    )


def test_a_call_is_a_child_of_what_it_is_made_in_and_fails_with_it():
    spans: list[Span] = []
    with client_span("outside", {}) as nothing:
        assert nothing is None
    with (
        inside(ROOT, spans.append),
        pytest.raises(ZeroDivisionError),
        client_span("call", {"a": 1}) as context,
    ):
        raise ZeroDivisionError
    (call,) = spans
    assert (call.name, call.context, call.parent, call.failed) == ("call", context, ROOT, True)
    with inside(ROOT, None), client_span("off", {}) as nothing:
        assert nothing is None


@pytest.mark.parametrize(
    "url", ["collector:4318", "ftp://collector", "http://", "http://user:secret@collector", "http://c?x=1"]
)
def test_a_collector_is_named_by_a_plain_url(url):
    with pytest.raises(ValidationError):
        TypeAdapter(CollectorUrl).validate_python(url)
