"""An experiment as the approval API shows it, which advances by two sessions each time somebody looks."""

from datetime import UTC, datetime
from uuid import uuid4

HOSTILE = "\x1b[31m4\x1b[0m\u202e<script>"
RESULTS_LESS = ("results", "run_list")


def requested(request):
    names = list(request["collectors"]) or ["as installed"]
    return {
        "id": str(uuid4()),
        "request": request,
        "requested_by": "ada",
        "requested_at": datetime.now(UTC).isoformat(),
        "state": "running",
        "runs": 4,
        "measured": 0,
        "failed": 0,
        "seconds_left": None,
        "services": [1.0, None, 0.75],
        "results": None,
        "run_list": [
            {
                "number": number,
                "arm": names[number % len(names)],
                "template": request["templates"][0],
                "seed": 0,
                "repetition": number // len(names),
                "state": "planned",
                "session_id": None,
                "reason": None,
            }
            for number in range(4)
        ],
    }


def view(experiment):
    return {name: value for name, value in experiment.items() if name not in RESULTS_LESS}


def advance(experiment):
    experiment["measured"] += 2
    experiment["seconds_left"] = 20.0
    if experiment["measured"] >= experiment["runs"]:
        experiment |= {"state": "done", "seconds_left": None, "results": results(experiment["request"])}


def interval(value, low=None, high=None):
    return {"value": value, "low": low, "high": high}


def results(request):
    baseline, other = request["collectors"]
    return {
        "arms": [arm(baseline, 1.0), arm(other, 0.75)],
        "contrasts": [
            {
                "arm": other,
                "baseline": baseline,
                "pairs": 2,
                "rows": [
                    {
                        "kind": "service",
                        "attribute": None,
                        "recall": interval(-0.25, -0.3, -0.2),
                        "precision": interval(0.0, 0.0, 0.0),
                        "is_clear": True,
                    }
                ],
                "seconds": interval(1.5, 1.0, 2.0),
                "packets": interval(-200.0, -210.0, -190.0),
                "differences": [
                    difference("lost", "files:445/tcp", "version", {"4.6.2": 2}, {HOSTILE: 2}),
                    difference("unclear", "web:80/tcp", None, {}, {}),
                ],
                "left_out": 7,
                "false_positives": [
                    {
                        "template": "small",
                        "kind": "service",
                        "key": f"ghost:80/tcp{HOSTILE}",
                        "by_baseline": 0,
                        "of_baseline": 2,
                        "by_arm": 2,
                        "of_arm": 2,
                        "is_clear": True,
                    }
                ],
                "false_positives_left_out": 3,
            }
        ],
        "unstable": [
            {
                "arm": other,
                "template": "small",
                "seed": 0,
                "kind": "service",
                "key": HOSTILE,
                "attribute": None,
                "found": 1,
                "of": 2,
            }
        ],
        "rate_sweeps": [
            {
                "name": "ours",
                "points": [
                    point(100, "safe"),
                    point(200, "harms", "restarts in 4 of 4 sessions; " + HOSTILE),
                ],
                "verdict": "recommended",
                "recommended": 100,
                "beyond": 200,
                "harm_chance_at_most": 0.53,
                "sentence": "100 packets/s: nothing lost and nothing harmed in 4 sessions; " + HOSTILE,
            }
        ],
        "facts_left_out": 0,
    }


def fact_history():
    run = {
        "session_id": str(uuid4()),
        "experiment_id": str(uuid4()),
        "arm": HOSTILE,
        "seed": 0,
        "at": "2026-11-27T01:30:00Z",
        "value": HOSTILE,
    }
    return {
        "template": "small",
        "kind": "service",
        "key": HOSTILE,
        "attribute": "version",
        "expected": "4.6.2",
        "versions": [
            {
                "collectors": [
                    {"collector": "network", "image": f"sha256:{letter * 64}", "configuration": None}
                ],
                "found": sum(fate == "found" for fate in fates),
                "of": 2,
                "values": {HOSTILE: 2},
                "runs": [{**run, "fate": fate} for fate in fates],
            }
            for letter, fates in (("b", ["found", "missed", "unknown"]), ("a", ["found", "found"]))
        ],
        "more": True,
    }


def point(rate, state, reason=""):
    return {
        "rate": rate,
        "arm": f"ours {rate}/s",
        "runs": 4,
        "recall": interval(0.98),
        "seconds": interval(20.5),
        "harm": interval(0.0 if state == "safe" else 1.25),
        "harmful": 0 if state == "safe" else 4,
        "lost": 0,
        "unclear": 0,
        "state": state,
        "reason": reason,
    }


def arm(name, recall):
    return {
        "arm": name,
        "planned": 2,
        "measured": 2,
        "incomplete": 0 if recall == 1 else 1,
        "rows": [
            {
                "kind": "service",
                "attribute": None,
                "recall": interval(recall, recall - 0.1, recall),
                "precision": interval(1.0, 1.0, 1.0),
                "f1": interval(0.9, 0.8, 1.0),
                "spread": None,
            }
        ],
        "seconds": interval(7.0, 6.5, 7.5),
        "packets": interval(2345.0, 2300.0, 2400.0),
        "failed_logins": interval(0.0, 0.0, 0.0),
        "harmed": interval(None),
        "side_effects": {"restarts": interval(0.5)},
    }


def difference(judgement, key, attribute, before, after):
    return {
        "template": "small",
        "kind": "service",
        "key": key,
        "attribute": attribute,
        "expected": "4.6.2",
        "found_by_baseline": 2,
        "of_baseline": 2,
        "found_by_arm": 0,
        "of_arm": 2,
        "baseline_values": before,
        "arm_values": after,
        "judgement": judgement,
    }
