from bench.network.rehearsals import Rehearsal
from bench.parts.prediction import Outcome, expected_by, table


def rehearsal(seed: int, found: float, seconds: float) -> Rehearsal:
    kinds = [
        {
            "name": name,
            "total": 100,
            "covered": 80,
            "unknown": 20,
            "found": {"value": found, "low": 0, "high": 80},
        }
        for name in ("service", "product")
    ]
    quantities = [
        {"name": "seconds", "expected": {"value": seconds, "low": 1, "high": 99}},
        {"name": "packets", "expected": {"value": 1000, "low": 1, "high": 2000}},
        {"name": "connections", "expected": None},
    ]
    return Rehearsal(seed, "quick", {"network_forecast": {"kinds": kinds, "quantities": quantities}})


def test_a_forecast_is_read_as_shares_of_what_is_covered():
    assert expected_by(rehearsal(0, 72, 30)).figures == {
        "ports": 0.9,
        "products": 0.9,
        "seconds": 30,
        "packets": 1000,
    }


def test_shares_differ_by_points_and_the_rest_by_parts_of_what_was_measured():
    run = Outcome({"ports": 0.86, "products": 0.7, "seconds": 40, "packets": 1300})
    rows = table("quick", run, [rehearsal(0, 72, 30), rehearsal(1, 72, 32)]).rows
    assert [(row[0], row[3], row[4]) for row in rows] == [
        ("ports", "+0.040", "yes"),
        ("products", "+0.200", "no"),
        ("seconds", "-0.225", "yes"),
        ("packets", "-0.231", "yes"),
    ]
