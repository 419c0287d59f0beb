"""Times as a reader's own language writes them, in columns of any width."""

import re

import pytest
from playwright.async_api import expect

from approval_api.identity.roles import Role

pytestmark = pytest.mark.browser


async def test_no_line_breaks_between_a_time_and_its_half_of_the_day(site):
    await site.report_production("192.0.2.7:5432/tcp", product="PostgreSQL", version="17.2")
    page = await site.visit(Role.ADMIN, "/production/discoveries", locale="en-US")
    times = page.locator("td.found time")
    await expect(times).to_have_text([re.compile(r"\d+:\d\d\s[AP]M$")])
    (shown,) = await times.all_text_contents()
    assert re.search("[\u00a0\u202f][AP]M$", shown), shown
