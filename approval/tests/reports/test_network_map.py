def hosts(drawing):
    return {host.name: host for host in drawing}


async def test_what_is_true_is_drawn_with_what_became_of_it(report):
    truth = hosts(report.network.truth)
    assert {name: host.state for name, host in truth.items()} == {
        "db": "found",
        "web": "found",
        "quiet": "missed",
    }
    db = {place.place: place for place in truth["db"].places}
    # Its service was found, but a version and a table are missing.
    assert (db["5432/tcp"].state, db["5432/tcp"].inside) == ("wrong", {"database": 1, "table": 1})
    web = {place.place: place for place in truth["web"].places}
    assert (web["18734/tcp"].state, web["18734/tcp"].hard) == ("missed", True)
    assert web["80/tcp"].label == "nginx 1.26.3"
    assert truth["db"].address == "10.213.0.3"


async def test_what_was_found_is_drawn_as_it_was_told(report):
    found = hosts(report.network.found)
    assert "quiet" not in found
    assert (found["10.213.0.9"].state, found["10.213.0.9"].places[0].state) == (
        "false_positive",
        "false_positive",
    )
    (place,) = found["web"].places
    assert (place.label, place.state) == ("nginx 1.0", "wrong")
