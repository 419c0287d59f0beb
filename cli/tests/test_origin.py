"""A template that stands for a real network says so, in the list and in every report."""

LINE = (
    "a network of 1,200 hosts, from a scan by nmap, 2026-11-26: 71 of 90 services stand on real software, "
    "9 on a relative, 6 on a banner, 4 on nothing"
)


def test_the_report_of_a_replica_says_which_network_it_stands_for(run, api, monkeypatch):
    import fake_approval_api
    from recorded_report import small_report, stands_for

    def about_a_replica(session):
        report = small_report(session)
        report["template"]["stands_for"] = stands_for("a scan by nmap")
        return report

    monkeypatch.setattr(fake_approval_api, "small_report", about_a_replica)
    api.add_session()
    _, stdout, _ = run("report", "last", COLUMNS="300")
    assert f"Stands for {LINE}" in stdout


def test_the_list_says_it_of_a_replica_and_of_no_other(run, api, monkeypatch):
    import fake_approval_api
    from recorded_report import stands_for

    plain = fake_approval_api.template

    def replica(name):
        return {**plain(name), "stands_for": stands_for("a scan by nmap") if name == "small" else None}

    monkeypatch.setattr(fake_approval_api, "template", replica)
    _, stdout, _ = run("templates", COLUMNS="300")
    assert stdout.count(f"stands for: {LINE}") == 1


def test_the_report_of_a_replica_says_what_to_expect_of_the_network(run, api, monkeypatch):
    import fake_approval_api
    from recorded_report import network_forecast, small_report

    def with_forecast(session):
        return {**small_report(session), "network_forecast": network_forecast()}

    monkeypatch.setattr(fake_approval_api, "small_report", with_forecast)
    api.add_session()
    _, stdout, _ = run("report", "last", COLUMNS="120")
    shown = [" ".join(line.split()) for line in stdout.splitlines()]
    assert "Expected in production 1,200 hosts, 1,190 of them covered by 20 targets in 1 session" in shown
    assert "scanned by network, web; profile full; 1,000 packets/s at most" in shown
    assert "services 40 33 30 27 to 33 3 7" in shown
    assert "443/tcp 40 0 - - 40" in shown
    assert "duration 1m 35s 1m 11s to 2m 00s" in shown
    assert "duration from 443/tcp" in shown  # the recorded basis
    assert "not measured: failed logins in logs" in shown


def test_the_expectation_of_a_network_cuts_no_heading_in_80_columns(run, api, monkeypatch):
    import fake_approval_api
    from recorded_report import network_forecast, small_report

    known = network_forecast()
    found = {"value": 8888.0, "low": 7777.0, "high": 9999.0}
    group = known["kinds"][0] | {"total": 12345, "covered": 9999, "unknown": 2346, "found": found}
    known["kinds"] = [group | {"name": name} for name in ("host", "service", "product")]
    monkeypatch.setattr(
        fake_approval_api, "small_report", lambda s: {**small_report(s), "network_forecast": known}
    )
    api.add_session()
    _, stdout, _ = run("report", "last", COLUMNS="80")
    shown = [" ".join(line.split()) for line in stdout.splitlines()]
    assert "there covered found 90 % interval missed unknown" in shown
    assert "products identified 12,345 9,999 8,888 7,777 to 9,999 1,111 2,346" in shown
    assert all(len(line) <= 80 for line in stdout.splitlines())
