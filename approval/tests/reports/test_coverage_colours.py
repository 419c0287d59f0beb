"""The picture of a network's coverage: each level can be told from the others."""

import re

from approval_api.reports.html import report_css
from approval_api.reports.view.real_network import coverage_bars
from dryrun_contract.template import Levels

LEVELS = Levels(same_version=5, same_product=4, relative=3, banner=2, nothing=1)


def fills() -> dict[str, str]:
    """Return the colour of each tone in the picture, as the style sheet has it."""
    found: dict[str, str] = {}
    for selectors, fill in re.findall(r"^(.*) { fill: ([^;]+);", report_css(), re.MULTILINE):
        for part, tone in re.findall(
            r"^\.dryrun-report (#\S+ )?\.dr-fill-(\w+)$", selectors.replace(", ", "\n"), re.MULTILINE
        ):
            if part in {"", "#report-coverage "}:
                found[tone] = fill
    return found


def test_each_level_has_a_colour_of_its_own_in_picture_and_legend() -> None:
    colours = fills()
    picture = coverage_bars(LEVELS)
    tones = [tone for tone, _ in picture.legend]
    assert [segment.tone for segment in picture.bars[0].segments] == tones
    drawn = [colours[tone or "plain"] for tone in tones]
    assert len({*drawn, "none", colours["track"]}) == len(tones) + 2
