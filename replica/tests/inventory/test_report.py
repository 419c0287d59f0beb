import json

import pytest
from ended_session import SESSION
from read_files import read, services_of

from dryrun_replica.inventory.faults import InventoryError
from dryrun_replica.planning.plan import keep_images, make_plan

ID = "sha256:" + "a" * 64
AVERAGES = {"precision": 1.0, "recall": 1.0, "f1": 1.0, "coverage": 1.0}
SCORES = {
    "rows": [],
    "overall": AVERAGES,
    "rows_without_hard": [],
    "overall_without_hard": AVERAGES,
    "found": [
        {"kind": "host", "key": "web", "data": {}, "collectors": ["network"], "hard": None},
        {
            "kind": "service",
            "key": "web:443/tcp",
            "collectors": ["network"],
            "hard": None,
            "data": {"product": "nginx", "version": "1.0", "name": "http", "tls": True},
        },
        {
            "kind": "service",
            "key": "app:8000/tcp",
            "collectors": ["network"],
            "hard": None,
            "data": {"name": "http"},
        },
        {
            "kind": "table",
            "key": "db:5432/tcp/shop/public/orders",
            "data": {},
            "collectors": [],
            "hard": None,
        },
    ],
    "false_negatives": [
        {"kind": "service", "key": "web:18734/tcp", "hard": "unusual port"},
        {
            "kind": "service",
            "key": "app:8000/tcp",
            "attribute": "product",
            "expected": ["Gunicorn", "gunicorn"],
            "hard": None,
        },
    ],
    "false_positives": [{"kind": "service", "key": "web:9/tcp", "data": {}, "collectors": []}],
    "wrong_values": [
        {
            "kind": "service",
            "key": "web:443/tcp",
            "attribute": "version",
            "expected": "1.26.3",
            "found": "1.0",
            "evidence": [],
            "hard": None,
        }
    ],
    "not_evaluable": [],
}
TRUTH = [
    {
        "name": "web",
        "address": "10.213.0.3",
        "state": "found",
        "places": [
            {"place": "443/tcp", "label": "nginx 1.26.3", "state": "wrong"},
            {"place": "18734/tcp", "label": "nginx 1.26.3", "state": "missed"},
        ],
    },
    {
        "name": "app",
        "address": None,
        "state": "found",
        "places": [{"place": "8000/tcp", "label": "Gunicorn", "state": "found"}],
    },
    {"name": "quiet", "address": None, "state": "missed", "places": []},
]


def document(**changes):
    return json.dumps(
        {
            "version": 2,
            "final": True,
            "scan_over": True,
            "session": SESSION,
            "verdict": None,
            "scores": SCORES,
            "scores_missing": None,
            "harmed": [],
            "phases": [],
            "traffic": None,
            "collectors": [],
            "images": [{"service": "web", "image": "discovery/test-nginx:1.26", "image_id": ID}],
            "template": {"id": "small", "title": None, "digest": "sha256:2", "seed": 0},
            "isolation": None,
            "network": {"truth": TRUTH, "found": []},
            "history_complete": True,
            **changes,
        }
    )


def test_a_report_reads_as_its_ground_truth_and_not_as_what_was_found():
    inventory = read(document())
    assert [source.format for source in inventory.sources] == ["report"]
    assert inventory.rehearsed == ("small",)
    assert services_of(inventory) == {
        "web-1": ["443/tcp nginx 1.26.3", "18734/tcp nginx 1.26.3"],
        "web-2": ["8000/tcp Gunicorn"],
        "host-1": [],
    }
    assert [host.image for host in inventory.hosts] == ["discovery/test-nginx:1.26", None, None]
    assert inventory.hosts[0].image_id == ID
    assert [host.rehearsed for host in inventory.hosts] == ["small", None, None]
    assert inventory.hosts[0].services[0].tls is not None


def test_a_report_without_the_network_reads_by_its_facts():
    assert services_of(read(document(network=None))) == {
        "web-1": ["443/tcp nginx 1.26.3", "18734/tcp unknown"],
        "web-2": ["8000/tcp Gunicorn"],
    }


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (document(scores=None, scores_missing="no collector has run"), "has no scores"),
        (document(version=1), "version 1 of the format"),
        (document(images=[{}]), "images.0.service"),
    ],
)
def test_a_report_without_usable_ground_truth_is_refused(text, fault):
    with pytest.raises(InventoryError, match=fault):
        read(text)


def test_an_image_outside_the_prefix_is_refused_not_used():
    hostile = document(images=[{"service": "web", "image": "evil:latest\nRUN x", "image_id": "sha256:1"}])
    assert read(hostile).hosts[0].image is None


def of_a_replica():
    """The report of a rehearsal with stand-ins, the products of which its ground truth called otherwise."""
    places = [
        {"place": "443/tcp", "label": "Cloudflare nginx 1.26.3", "state": "found"},
        {"place": "8080/tcp", "label": "", "state": "found"},
        {"place": "9999/tcp", "label": "Acme sensor 2.0", "state": "missed"},
    ]
    web = {
        "name": "web-a",
        "hosts": 7,
        "targets": ["web-1"],
        "services": [
            {"place": "443/tcp", "level": "same_product", "product": "nginx"},
            {"place": "8080/tcp", "level": "banner", "product": None},
            {"place": "9999/tcp", "level": "banner", "product": "Acme sensor"},
        ],
    }
    found = {"collectors": ["network"], "hard": None}
    names = {"443/tcp": {"name": "http"}, "8080/tcp": {"name": "http-proxy"}}
    return document(
        scores=SCORES
        | {
            "found": [
                {"kind": "service", "key": f"web-1:{place}", "data": data, **found}
                for place, data in names.items()
            ],
            "false_negatives": [],
            "wrong_values": [],
        },
        images=[{"service": "web-1", "image": "discovery/test-acme-web:1", "image_id": ID}],
        network={
            "truth": [{"name": "web-1", "address": None, "state": "found", "places": places}],
            "found": [],
        },
        observation={
            "template": "acme",
            "census": {"network": "n0123456789abcdef", "classes": [web]},
            "hosts": 7,
            "scan": {},
            "collectors": ["network"],
            "seconds": None,
            "complete": True,
            "targets": {},
        },
    )


def test_what_only_a_banner_or_an_open_port_stood_for_is_no_software_on_the_same_image():
    inventory = keep_images(read(of_a_replica(), keep_names=True), {"discovery/test-acme-web:1": ID})
    plan = make_plan("again", inventory, lambda host: (), inventory.read_at)
    assert plan.coverage.levels == {
        "same_version": 1,
        "same_product": 0,
        "relative": 0,
        "banner": 2,
        "nothing": 0,
    }
    assert (plan.coverage.open_ports, plan.coverage.real) == (1, 1)
    assert {row.label: row.why for row in plan.coverage.rows} == {
        "nginx 1.26.3": "the image that it was",
        "open, not identified": "the image that it was: an open port, no banner",
        "Acme sensor 2.0": "the image that it was: a banner",
    }


def test_stand_ins_are_called_as_the_inventory_called_them_and_open_ports_by_no_name():
    (host,) = read(of_a_replica(), keep_names=True).hosts
    assert [(each.product, each.name) for each in host.services] == [
        ("nginx", "http"),
        (None, None),
        ("Acme sensor", None),
    ]
