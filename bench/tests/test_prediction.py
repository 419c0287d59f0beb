from bench.network.rehearsals import ProductionRun
from bench.network.scans import Scan
from bench.parts.prediction import Share, differences, share, table

from dryrun_contract.check import CheckedGroup, CheckedQuantity, Comparison
from dryrun_contract.network_forecast import Expected


def group(what, name, total, predicted, outcome, unknown=0) -> CheckedGroup:
    expected = None if predicted is None else Expected(value=predicted, low=0, high=total)
    return CheckedGroup(
        what=what, name=name, total=total, predicted=expected, unknown=unknown, outcome=outcome, within=True
    )


def comparison(found: float = 9, *, products: int = 7, seconds: float = 30, took: float = 40) -> Comparison:
    return Comparison(
        network="n0123456789abcdef",
        hosts=20,
        sessions=1,
        complete=True,
        groups=(
            group("kind", "service", 15, found, 8, unknown=5),
            group("kind", "product", 12, 6, 7, unknown=2),
            group("place", "80/tcp", 10, found, 8),
            group("place", "8000/tcp", 3, None, 0, unknown=3),
            group("place", "22/tcp", 2, 0, 0, unknown=2),
            group("product", "nginx", 10, 6, products),
            group("product", "of nobody", 2, None, 0, unknown=2),
        ),
        quantities=(
            CheckedQuantity(
                name="seconds", predicted=Expected(value=seconds, low=1, high=99), outcome=took, within=True
            ),
        ),
    )


def test_shares_are_of_what_stand_ins_speak_for_on_both_sides():
    runs = [comparison(), comparison(products=5)]
    assert share(runs, "service") == Share(total=15, covered=10, predicted=0.9, found=(0.8, 0.8))
    assert share(runs, "product") == Share(total=12, covered=10, predicted=0.6, found=(0.7, 0.5))


def test_the_median_run_counts_of_each_quantity_by_itself():
    # The run of the median duration found fewest.
    runs = [comparison(8.4, products=7, took=38), comparison(8.4, products=2, took=40)]
    runs.append(comparison(8.4, products=7, took=90))
    rows = table("quick", runs, [[comparison(9, seconds=32)], [comparison(7, seconds=28)]]).rows
    assert [row[:6] for row in rows] == [
        ["ports found, of 10 of 15", "0.80", "0.80, 0.80, 0.80", "0.84", "+0.040", "yes"],
        ["products found, of 10 of 12", "0.70", "0.70, 0.20, 0.70", "0.60", "-0.100", "no"],
        ["seconds", "40", "38, 40, 90", "30", "-25.0%", "yes"],
    ]
    assert rows[0][6] == "0.90 for 0.80, 0.70 for 0.80"
    assert rows[2][6] == "32, 28"


def test_what_differs_in_any_run_is_listed_unless_nothing_stands_for_it():
    rows = differences("full", [comparison(8.4, products=6), comparison(8.4, products=7)]).rows
    assert rows == [["nginx", "10", "6.0", "6, 7"]]


def test_a_run_counts_as_its_output_would():
    found = {("a", 80): "nginx", ("a", 22): "OpenSSH", ("b", 22): ""}
    counted = ProductionRun(Scan(12.5, found), packets=900).outcome
    assert counted.hosts == 2
    assert counted.places == {"80/tcp": 1, "22/tcp": 2}
    assert counted.products == {"nginx": 1, "OpenSSH": 1}
    assert (counted.seconds, counted.packets) == (12.5, 900)
