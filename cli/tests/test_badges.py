"""Badges on the command line: shown, published, listed, withdrawn."""


def test_a_badge_is_shown_as_inert_words(run, api):
    assert run("badge", "show", "small") == (0, "dry-run small: recall\\x1b 0.9\n", "")
    assert ("GET", "/api/v1/dryrun/templates/small/badge") in api.requests


def test_a_badge_is_published_listed_and_withdrawn(run, api):
    code, out, err = run("badge", "publish", "small")
    assert (code, out) == (0, f"{api.url}/badges/{'A' * 22}.svg\n")
    assert "without signing in" in err
    assert "small" in run("badge", "list")[1]
    assert "answers 404" in run("badge", "withdraw", "A" * 22)[1]
    assert "No badge is published" in run("badge", "list")[1]


def test_a_withdrawal_is_json_on_request(run, api):
    run("badge", "publish", "small")
    assert run("badge", "withdraw", "A" * 22, "--json") == (0, f'{{"removed":"{"A" * 22}"}}\n', "")


def test_what_names_nothing_is_not_sent(run, api):
    for wrong in (("show",), ("publish", "../x"), ("withdraw", "../x"), ("show", "small", "--schedule", "x")):
        assert run("badge", *wrong)[0] == 2
    assert api.requests == []
