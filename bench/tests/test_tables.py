from bench.goals import GOALS
from bench.page.tables import goal_table, number, summary, table
from bench.results import Breakdown, Growth, Machine, Measured, PartResult, Ratio, Run, Share, Table

MACHINE = Machine(processors=2, model="a processor", memory_gib=8, kernel="6.12", engine="26.1.5")


def run(**results):
    part = PartResult(part="one", title="One", about="It is measured.", **results)
    return Run(machine=MACHINE, parts=[part])


def row(page, start):
    (found,) = (line for line in page.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in found.strip("|").split(" | ")]


def test_a_table_keeps_its_columns_whatever_a_cell_holds():
    assert table(["a", "b"], [["x|y", "two\nlines"]]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |"


def test_numbers_have_the_digits_that_a_reader_can_use():
    assert [number(each) for each in (0.034, 1.234, 45.67, 1234.5)] == ["0.03", "1.23", "45.7", "1,234"]


def test_a_goal_is_met_only_by_the_unfavourable_end_of_the_interval():
    good, bad = [(1.0, 1.0)] * 5, [(1.0, 1.0), (1.0, 1.0), (1.3, 1.0), (1.3, 1.0), (1.0, 1.0)]
    for pairs, said in ((good, "yes"), (bad, "**no**")):
        page = goal_table(run(ratios=[Ratio(name="r", pairs=pairs, goal="healthy-bare-small")]))
        assert row(page, "until healthy, to a bare parallel loop: `small`")[-1] == said


def test_a_share_is_held_against_its_bound_from_below():
    for found, said in ((34, "**no**"), (37, "yes")):
        share = Share(name="ports", by="quick", found=found, of=43, goal="quick-odd-ports-ports")
        cells = row(goal_table(run(shares=[share])), "ports found by `quick`: odd ports")
        assert cells[1] == f"{found / 43:.2f} ({found} of 43)"
        assert cells[-1] == said


def test_seconds_are_held_against_seconds():
    measured = Measured(name="click", values=[7.0, 7.5, 8.5], goal="decision-small")
    cells = row(goal_table(run(measured=[measured])), "click to decision page, cleanup included: `small`")
    assert cells[1] == "7.50 s"
    assert cells[3:] == ["≤ 8 s", "**no**"]


def test_a_bound_kept_by_too_few_measurements_says_how_few():
    once = Ratio(name="scan", pairs=[(1.0, 10.0)], goal="quick-small")
    twice = Measured(name="click", values=[7.0, 7.5], goal="decision-small")
    page = goal_table(run(ratios=[once], measured=[twice]))
    assert row(page, "`quick` to plain `nmap -sV`: targets of `small`")[2:] == [
        "measured once",
        "≤ 0.35",
        "yes",
    ]
    assert row(page, "click to decision page, cleanup included: `small`")[2] == "measured twice"


def test_a_goal_that_only_a_long_run_measures_says_so():
    assert row(goal_table(run()), "`quick` to plain `nmap -sV`: targets of `large`")[1] == (
        "not measured (`LONG=1` only)"
    )


def test_every_goal_has_its_row_measured_or_not():
    page = goal_table(run())
    assert len(page.splitlines()) == len(GOALS) + 2
    assert page.count("not measured") == len(GOALS)


def test_a_goal_has_a_name_of_its_own():
    assert len({goal.id for goal in GOALS}) == len(GOALS)


def test_a_part_shows_all_that_it_measured():
    page = summary(
        run(
            measured=[Measured(name="a time", values=[1.0, 2.0, 3.0])],
            ratios=[Ratio(name="a ratio", pairs=[(1.0, 2.0)])],
            shares=[Share(name="ports", by="quick", found=1, of=2)],
            growths=[Growth(name="a growth", work="w", cost="s", points=[(1, 1.0), (10, 100.0)])],
            breakdowns=[Breakdown(name="a sum", pieces=[("a piece", 0.5)])],
            tables=[Table(title="the rest", columns=["c"], rows=[["r"]])],
        ).parts[0]
    )
    for shown in (
        "| a time | 2.00 s | 1.00 to 3.00 |",
        "| a ratio | 0.50 |",
        "| ports | `quick` | 1 of 2 | 0.50 |",
        "| a growth | 1: 1.00, 10: 100 | 2.00 |",
        "| a piece | 0.50 s |",
        "**the rest**",
    ):
        assert shown in page


def test_results_survive_their_file():
    before = run(measured=[Measured(name="a time", values=[1.0])])
    assert Run.model_validate_json(before.model_dump_json(by_alias=True)) == before
