import pytest
from inert_report import faults_of


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (".html", "<p>a<script>1</script>"),
        (".html", '<p onclick="x">a</p>'),
        (".html", '<a href="javascript:x">a</a>'),
        (".html", "<p>a\u202eb</p>"),
        (".md", "a <b>"),
        (".md", "a\x1b[31m"),
        (".csv", '"found","=1+1"\n'),
        (".csv", '"found"," @SUM(A1)"\n'),
        (".json", '"é"'),
    ],
)
def test_active_content_is_a_fault(form, text):
    assert faults_of(form, text) != []


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (".html", '<p class="dr-note"><bdi>&lt;script&gt;</bdi></p>'),
        (".md", "| `\\x3cb>` |\n"),
        (".csv", '"found","\'=1+1","10.0.0.1"\n'),
        (".json", '"\\u00e9"'),
    ],
)
def test_inert_content_is_not_a_fault(form, text):
    assert faults_of(form, text) == []
