from types import SimpleNamespace

from dryrun_orchestrator.session.start_order import UNKNOWN_SECONDS, start_order


def service(name, *depends_on, condition="service_started"):
    needs = [SimpleNamespace(service=each, condition=condition) for each in depends_on]
    return SimpleNamespace(name=name, image=SimpleNamespace(id=f"image of {name}"), depends_on=needs)


def order(*services, **seconds):
    known = {f"image of {name}": value for name, value in seconds.items()}
    return [each.name for each in start_order(services, known)]


def test_the_slowest_image_starts_first():
    assert order(service("a"), service("b"), service("c"), a=0.4, b=2.2, c=1.1) == ["b", "c", "a"]


def test_without_measurements_the_templates_order_stays():
    assert order(service("a"), service("b"), service("c")) == ["a", "b", "c"]


def test_an_image_never_measured_counts_as_an_ordinary_one():
    assert order(service("new"), service("slow"), service("fast"), slow=UNKNOWN_SECONDS + 1, fast=0.1) == [
        "slow", "new", "fast",
    ]  # fmt: skip


def test_what_many_wait_for_comes_before_what_only_takes_long():
    waits = service("app", "db", condition="service_healthy")
    assert order(service("lone"), waits, service("db"), lone=1.5, app=1.0, db=0.6)[0] == "db"


def test_a_dependency_that_only_has_to_be_started_counts_without_its_health():
    waits = service("front", "web")
    assert order(service("lone"), waits, service("web"), lone=1.5, front=1.0, web=0.6) == [
        "lone",
        "front",
        "web",
    ]
