"""What happens in a session, as (seconds from its start, event data): the material of the fake API."""

from datetime import UTC, datetime, timedelta

SERVICES = {
    "web": ("discovery/test-nginx:1.26", "10.213.0.2"),
    "app": ("discovery/test-django:5", "10.213.0.3"),
    "db": ("discovery/test-postgres:17", "10.213.0.4"),
    "docs": ("discovery/test-mongodb:nx-27017", "10.213.0.5"),
    "cache": ("discovery/test-redis:7", "10.213.0.6"),
}
HOSTILE = (
    "\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil.example\x07link \r\n\t\b\x7f\x9b5A"
    "[bold red]markup[/] :smile: "
    "\u202egnp.exe\u200b\u2028<script>alert(1)</script> =cmd|' /C calc'!A0 \U000e0041"
)

type Script = list[tuple[float, dict[str, object]]]


def target(service, state, **more):
    image, _ = SERVICES[service]
    return {
        "type": "target_changed",
        "service": service,
        "image": image,
        "image_id": "sha256:" + "a" * 64,
        "state": state,
        **more,
    }


def phase(name, reason=None):
    return {"type": "phase_changed", "phase": name, "reason": reason}


def found(collector, line, kind, key, **data):
    discovery = {"kind": kind, "key": key, "data": data, "confidence": 0.9}
    return {
        "type": "discovery_reported",
        "collector": collector,
        "run": f"run-{collector}",
        "line": line,
        "discovery": discovery,
    }


def progress(collector, done, total, message=""):
    return {
        "type": "collector_progressed",
        "collector": collector,
        "run": f"run-{collector}",
        "done": done,
        "total": total,
        "message": message,
    }


def collector_started(collector):
    return {
        "type": "collector_started",
        "collector": collector,
        "run": f"run-{collector}",
        "image": f"discovery/test-collector-{collector}:1",
        "image_id": "sha256:" + "c" * 64,
    }


def collector_ended(collector, discoveries, **more):
    return {
        "type": "collector_ended",
        "collector": collector,
        "run": f"run-{collector}",
        "complete": True,
        "truncated": False,
        "discoveries": discoveries,
        "warnings": 0,
        "lines": discoveries + 9,
        "exit_code": 0,
        "reason": None,
        **more,
    }


def queued(template="small", **more):
    return {
        "type": "session_queued",
        "template": template,
        "template_digest": "sha256:" + "d" * 64,
        "seed": 0,
        "keep": False,
        "actor": "ada",
        **more,
    }


def network(expires_at=None):
    expires_at = expires_at or datetime.now(UTC) + timedelta(minutes=30)
    return {
        "type": "network_created",
        "name": "dryrun-x",
        "subnet": "10.213.0.0/27",
        "expires_at": expires_at.isoformat(),
    }


def built(template="small"):
    script: Script = [(0.0, queued(template)), (0.1, phase("provisioning")), (0.2, network())]
    script.append(
        (0.4, {"type": "isolation_probed", "isolated": True, "detail": "no answer from the bridge"})
    )
    for position, service in enumerate(SERVICES):
        script.append((0.5 + position * 0.2, target(service, "created")))
        script.append((0.6 + position * 0.2, target(service, "starting")))
    script.append((1.6, phase("waiting")))
    for position, service in enumerate(("cache", "docs", "web", "db", "app")):
        script.append((1.8 + position * 0.6, target(service, "healthy")))
    addresses = {address: service for service, (_, address) in SERVICES.items()}
    script.append((4.4, {"type": "addresses_mapped", "addresses": addresses}))
    return script


def network_findings():
    yield from (("host", address, {}) for _, address in SERVICES.values())
    yield "service", "10.213.0.2:80/tcp", {"product": "nginx", "version": "1.26.3"}
    yield "service", "10.213.0.2:443/tcp", {"product": "nginx", "version": "1.26.3"}
    yield "certificate", "10.213.0.2:443/tcp", {"subject": "CN=web.corp.example", "issuer": "CN=Corp CA"}
    yield "service", "10.213.0.3:8000/tcp", {"product": "gunicorn", "version": "23.0.0"}
    yield "service", "10.213.0.4:5432/tcp", {"product": "PostgreSQL DB", "version": "17.2"}
    yield "service", "10.213.0.5:27017/tcp", {"product": "MongoDB", "version": "7.0"}
    yield "service", "10.213.0.6:6379/tcp", {"product": "Redis key-value store"}


def database_findings():
    yield "database", "10.213.0.4:5432/tcp/shop", {"engine": "postgresql"}
    for table, columns in (("customers", 6), ("orders", 5), ("order_lines", 4), ("products", 7)):
        yield (
            "table",
            f"10.213.0.4:5432/tcp/shop/public/{table}",
            {"columns": [f"c{n}" for n in range(columns)]},
        )
    yield "database", "10.213.0.5:27017/tcp/intranet", {"engine": "mongodb"}
    yield "table", "10.213.0.5:27017/tcp/intranet/pages", {"columns": ["_id", "title", "body"]}


def scanned():
    script: Script = [(4.5, phase("scanning")), (4.6, collector_started("network"))]
    script.append((4.7, progress("network", 0, None, "looking for hosts")))
    at, line = 5.0, 1
    for line, (kind, key, data) in enumerate(network_findings(), start=1):
        at += 0.5
        script.append((at, found("network", line, kind, key, **data)))
        script.append((at, progress("network", line, 12, f"{key}: services and versions")))
    script += [(at + 0.5, collector_ended("network", line)), (at + 0.6, collector_started("database"))]
    for line, (kind, key, data) in enumerate(database_findings(), start=1):
        at += 0.4
        script.append((at + 0.6, found("database", line, kind, key, **data)))
        script.append((at + 0.6, progress("database", line, 7, f"reading {key}")))
    warning = {
        "type": "collector_warned",
        "collector": "database",
        "run": "run-database",
        "line": 15,
        "message": "10.213.0.6:6379/tcp: the credential was refused; not evaluable",
    }
    script += [(at + 0.8, warning), (at + 1.0, collector_ended("database", line, warnings=1))]
    traffic = {"rx_packets": 2100, "rx_bytes": 130_000, "tx_packets": 2050, "tx_bytes": 120_000}
    measured = {
        "type": "traffic_measured",
        "targets": dict.fromkeys(SERVICES, traffic),
        "peak_packets_per_second": 950.0,
        "sampling_seconds": 0.5,
    }
    script.append((at + 1.1, measured))
    return script


def cleaned_up(at, outcome="completed", reason=None):
    script: Script = [(at, phase("cleaning_up"))]
    for position, service in enumerate(SERVICES):
        script.append((at + 0.3 + position * 0.2, target(service, "removed")))
    script.append((at + 1.5, {"type": "session_ended", "outcome": outcome, "reason": reason}))
    return script


def small():
    script = built() + scanned()
    return script + cleaned_up(script[-1][0] + 0.2)


def harmed():
    script = built() + scanned()
    at = script[-1][0]
    harm = {
        "type": "target_harmed",
        "service": "docs",
        "harm": "out_of_memory",
        "during": ["network"],
        "detail": "the kernel ended its process at 512 MiB",
    }
    script += [(9.0, target("docs", "died", detail="exit code 137")), (9.05, harm)]
    cut = collector_ended("database", 7, complete=False, truncated=True, reason="8 MiB of output were read")
    script.append((at + 0.1, cut))
    return sorted(script, key=lambda step: step[0]) + cleaned_up(at + 0.2)


def failing():
    reason = "docs did not become healthy within 60 s; see its image's health check"
    return [
        *built()[:-3],
        (5.0, target("docs", "unhealthy", detail="probe: connection refused")),
        *cleaned_up(6.0, "failed", reason),
    ]


def hostile():
    """Every string a target, a collector or a broken orchestrator could choose is hostile."""
    script: Script = [(0.0, queued(HOSTILE, actor=HOSTILE, template_digest=HOSTILE))]
    script += [(0.1, phase("provisioning", HOSTILE)), (0.2, network())]
    script.append((0.3, {"type": "isolation_probed", "isolated": False, "detail": HOSTILE}))
    script.append(
        (0.4, {**target("web", "unhealthy"), "service": HOSTILE, "image": HOSTILE, "detail": HOSTILE})
    )
    script.append((0.5, {"type": "addresses_mapped", "addresses": {"10.213.0.2": HOSTILE, HOSTILE: HOSTILE}}))
    script.append((0.6, {**collector_started("network"), "collector": HOSTILE, "image": HOSTILE}))
    script.append((0.7, {**progress("network", 1, 3), "message": HOSTILE, "collector": HOSTILE}))
    for kind, name in (
        ("service", "product"),
        ("certificate", "subject"),
        ("web_app", "title"),
        ("database", "engine"),
    ):
        data = {name: HOSTILE, "version": {HOSTILE: [HOSTILE]}, HOSTILE: HOSTILE}
        script.append((0.8, found(HOSTILE, 1, kind, "10.213.0.2:80/tcp", **data)))
        script.append((0.8, found(HOSTILE, 2, kind, "10.213.0.9:80/tcp/\u202e\u2028\x9b", **data)))
    harm = {
        "type": "target_harmed",
        "service": HOSTILE,
        "harm": "died",
        "during": [HOSTILE],
        "detail": HOSTILE,
    }
    script.append((0.9, harm))
    warning = {
        "type": "collector_warned",
        "collector": HOSTILE,
        "run": "run-network",
        "line": 3,
        "message": HOSTILE,
    }
    script.append((1.0, warning))
    script.append(
        (1.1, {**collector_ended("network", 3, complete=False, reason=HOSTILE), "collector": HOSTILE})
    )
    traffic = {"rx_packets": 1, "rx_bytes": 1, "tx_packets": 1, "tx_bytes": 1, "at_least": True}
    measured = {
        "type": "traffic_measured",
        "targets": {HOSTILE: traffic},
        "peak_packets_per_second": 1.0,
        "sampling_seconds": 1.0,
    }
    logs = {
        "type": "target_logs_measured",
        "targets": {
            HOSTILE: {
                "counts": {"errors": 1, "connections": None},
                "lines": 2,
                "by_collectors": [{"collectors": [HOSTILE], "lines": 2, "sample": [HOSTILE]}],
                "note": HOSTILE,
            }
        },
    }
    script += [(1.2, measured), (1.25, logs), (1.3, {"type": HOSTILE, "text": HOSTILE})]
    script += [
        (1.4, phase("cleaning_up", HOSTILE)),
        (1.5, {"type": "session_ended", "outcome": "failed", "reason": HOSTILE}),
    ]
    return script
