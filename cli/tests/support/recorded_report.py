"""Reports of the recorded sessions, as the approval API gives them."""

from recorded_session import HOSTILE, SERVICES

SOME_TIME = "2026-01-31T09:30:00Z"


def row(name, right, missed=0, wrong=0, shut=0):
    recall = right / (right + missed) if right + missed else None
    precision = right / (right + wrong) if right + wrong else None
    f1 = 2 * precision * recall / (precision + recall) if precision and recall else None
    return {
        "name": name,
        "kind": name,
        "attribute": None,
        "true_positives": right,
        "false_positives": wrong,
        "false_negatives": missed,
        "not_evaluable": shut,
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def small_report(session):
    rows = [
        row("host", 5),
        row("service", 6, missed=1),
        row("product", 5, missed=1, wrong=1),
        row("version", 4, 1, 1),
        row("database", 2, shut=1),
        row("table", 5),
        row("web_app", 0),
        row("certificate", 1),
    ]
    traffic = {
        "rx_packets": 2100,
        "rx_bytes": 130_000,
        "tx_packets": 2050,
        "tx_bytes": 120_000,
        "at_least": False,
    }
    run = {
        "run": "1",
        "ended": True,
        "image": "discovery/test-collector-network:1",
        "image_id": "sha256:c",
        "complete": True,
        "truncated": False,
        "warnings": 0,
        "warning_examples": [],
        "lines": 30,
        "exit_code": 0,
        "reason": None,
    }
    return {
        "version": 2,
        "final": session["phase"] == "ended",
        "scan_over": True,
        "session": session,
        "verdict": None,
        "scores": {
            "rows": rows,
            "overall": {"precision": 0.95, "recall": 0.93, "f1": 0.94, "coverage": 0.95},
            "rows_without_hard": rows,
            "overall_without_hard": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "coverage": 0.95},
            "found": [],
            "false_negatives": [
                {
                    "kind": "service",
                    "key": "web:18734/tcp",
                    "attribute": None,
                    "expected": None,
                    "hard": "unusual port",
                },
                {
                    "kind": "service",
                    "key": "cache:6379/tcp",
                    "attribute": "version",
                    "expected": "7.0.15",
                    "hard": None,
                },
            ],
            "false_positives": [],
            "wrong_values": [
                {
                    "kind": "service",
                    "key": "docs:27017/tcp",
                    "attribute": "product",
                    "expected": ["nx-27017"],
                    "found": "MongoDB",
                    "evidence": [],
                    "hard": "a banner that lies",
                },
            ],
            "not_evaluable": [
                {
                    "kind": "database",
                    "key": "cache:6379/tcp/0",
                    "service": "cache:6379/tcp",
                    "hard": "wrong password",
                },
            ],
        },
        "scores_missing": None,
        "harmed": [],
        "phases": [
            {"phase": "queued", "started_at": "2026-01-31T09:30:00Z", "seconds": 0.1},
            {"phase": "provisioning", "started_at": "2026-01-31T09:30:00Z", "seconds": 1.5},
            {"phase": "waiting", "started_at": "2026-01-31T09:30:01Z", "seconds": 2.9},
            {"phase": "scanning", "started_at": "2026-01-31T09:30:04Z", "seconds": 11.4},
            {"phase": "cleaning_up", "started_at": "2026-01-31T09:30:15Z", "seconds": 1.5},
        ],
        "traffic": {
            "targets": dict.fromkeys(SERVICES, traffic),
            "peak_packets_per_second": 950.0,
            "sampling_seconds": 0.5,
        },
        "logs": {
            "web": {
                "counts": {"errors": 2, "connections": 9, "failed_logins": None, "slow_queries": None},
                "lines": 12,
                "by_collectors": [{"collectors": ["network"], "lines": 12, "sample": ["GET /"]}],
            },
            "db": {"counts": {"errors": 0, "failed_logins": None}, "lines": 3, "truncated": True},
            "printer": {"counts": {}, "side_effects": {"pages_printed": 3}, "lines": 0},
            "plc": {"counts": {}, "side_effects": {"restarts": 0}, "lines": 0, "truncated": True},
            "decoy": {"counts": {}, "side_effects": {"credentials_shown": None}, "lines": 0},
        },
        "collectors": [
            {**run, "collector": "network", "discoveries": 12, "seconds": 7.1},
            {**run, "collector": "database", "discoveries": 7, "warnings": 1, "seconds": 3.2},
        ],
        "images": [],
        "template": {"id": session["template"], "title": "Small company", "digest": "sha256:d", "seed": 0},
        "isolation": {"isolated": True, "detail": "no answer"},
        "history_complete": True,
    }


def stands_for(made_from):
    """The real network behind a template made from an inventory."""
    levels = {"same_version": 60, "same_product": 11, "relative": 9, "banner": 6, "nothing": 4}
    return {"made_from": made_from, "made_on": "2026-11-26", "hosts": 1200, "levels": levels}


def network_forecast(name="443/tcp"):
    """What a rehearsal expects of the network that its template stands for."""
    found = {"value": 30.0, "low": 27.0, "high": 33.0}
    group = {"name": name, "total": 40, "covered": 33, "unknown": 7, "found": found, "spellings": [name]}
    return {
        "network": "n0123456789abcdef",
        "hosts": 1200,
        "hosts_covered": 1190,
        "targets": 20,
        "sessions": 1,
        "kinds": [{**group, "name": "service"}],
        "places": [group],
        "products": [{**group, "found": None, "covered": 0, "unknown": 40}],
        "inside": [{"kind": name, "attribute": name, "covered": 12.5, "found": found}],
        "quantities": [
            {"name": "seconds", "expected": {"value": 95.0, "low": 71.0, "high": 120.0}, "basis": name},
            {"name": "failed_logins", "expected": None, "basis": name},
        ],
        "assumptions": [name],
        "collectors": ["network", "web"],
        "scan": {"profile": "full", "max_rate": 1000},
    }


def recorded_check(session_id, outcome):
    """A check in which services lie outside and everybody says something hostile."""
    predicted = {"value": 30.0, "low": 27.0, "high": 33.0}
    found = {"total": 40, "predicted": predicted, "unknown": 7, "outcome": 12, "beyond": 2, "within": False}
    return {
        "id": "6e0e7d1c-0000-4000-8000-000000000001",
        "session_id": session_id,
        "template": HOSTILE,
        "checked_by": HOSTILE,
        "checked_at": SOME_TIME,
        "source": "output" if outcome else "production",
        "comparison": {
            "network": "n0123456789abcdef",
            "hosts": 1200,
            "sessions": 5,
            "complete": bool(outcome.get("complete")),
            "places_left_out": outcome.get("others", 0),
            "products_left_out": outcome.get("other_products", 0),
            "hosts_left_out": outcome.get("hosts_left_out", 0),
            "hosts_seen_in_part": outcome.get("hosts_seen_in_part", 0),
            "groups": [
                {**found, "what": "kind", "name": "service"},
                {**found, "what": "place", "name": "443/tcp"},
                {**found, "what": "product", "name": HOSTILE},
            ],
            "quantities": [
                {
                    "name": "seconds",
                    "predicted": {"value": 95.0, "low": 71.0, "high": 120.0},
                    "outcome": 100.0,
                    "within": True,
                }
            ],
            "explained_by": {"service": ["443/tcp: 30 to 37 expected, 12 found", HOSTILE]},
            "not_in_inventory": {"22/tcp": 3},
        },
    }


def hostile_report(session):
    report = small_report(session)
    report["network_forecast"] = network_forecast(HOSTILE)
    report["scores"]["rows"] = [row(HOSTILE, 1, 1, 1)]
    for name, more in (
        ("false_negatives", {"attribute": HOSTILE, "expected": [HOSTILE, {HOSTILE: HOSTILE}]}),
        ("false_positives", {"collectors": [HOSTILE], "data": {HOSTILE: HOSTILE}}),
        ("wrong_values", {"attribute": HOSTILE, "expected": HOSTILE, "found": HOSTILE, "evidence": []}),
        ("not_evaluable", {"service": HOSTILE}),
    ):
        entry = {"kind": HOSTILE, "key": HOSTILE, **more}
        report["scores"][name] = [entry if name == "false_positives" else {**entry, "hard": HOSTILE}]
    report["harmed"] = [
        {"service": HOSTILE, "harm": HOSTILE, "during": [HOSTILE], "detail": HOSTILE, "at": SOME_TIME}
    ]
    report["phases"] = [{"phase": HOSTILE, "started_at": SOME_TIME, "seconds": 1.0}]
    report["traffic"]["targets"] = {HOSTILE: report["traffic"]["targets"]["web"]}
    report["logs"] = {HOSTILE: {"counts": {"errors": 1}, "lines": 1, "note": HOSTILE}}
    for run in report["collectors"]:
        run.update(collector=HOSTILE, complete=False, reason=HOSTILE)
    report["template"] = {"id": HOSTILE, "title": HOSTILE, "digest": HOSTILE, "seed": 0}
    report["template"]["stands_for"] = stands_for(HOSTILE)
    report["isolation"] = {"isolated": False, "detail": HOSTILE}
    return report


def with_verdict(report, criteria):
    limit = criteria.get("overall", {}).get("recall_min", 0.0)
    measured = report["scores"]["overall"]["recall"]
    status = "passed" if measured >= limit else "failed"
    name = "overall.recall_min" if report["template"]["id"] != HOSTILE else HOSTILE
    result = {
        "criterion": name,
        "status": status,
        "limit": limit,
        "measured": measured,
        "detail": "" if name == HOSTILE else f"{measured}, at least {limit} required",
    }
    return {**report, "verdict": {"passed": status == "passed", "results": [result]}}


def markdown(report):
    lines = [
        "# Dry-run report",
        "",
        f"Template {report['template']['id']}",
        "",
        "| kind | recall |",
        "|---|---|",
    ]
    lines += [f"| {line['name']} | {line['recall']} |" for line in report["scores"]["rows"]]
    return "\n".join(lines) + "\n"


def html(report):
    return f"<!doctype html>\n<title>{report['template']['id']}</title>\n"


def csv(report):
    rows = [f'"missed","{fact["kind"]}","{fact["key"]}"' for fact in report["scores"]["false_negatives"]]
    return "\r\n".join(['"judgement","kind","where"', *rows]) + "\r\n"


WRITTEN = {"markdown": ("text/markdown", markdown), "html": ("text/html", html), "csv": ("text/csv", csv)}
