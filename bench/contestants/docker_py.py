"""docker-py as its documentation shows it: one container after another, then waiting for each."""

import time

import docker
from docker.errors import APIError

from bench.contestants.bodies import Bodies

_SECONDS = 180
_POLL_SECONDS = 0.05


def bring_up_and_remove(bodies: Bodies) -> tuple[float, float]:
    """Return the seconds until every target is healthy, and those until nothing is left."""
    client = docker.from_env(timeout=60)
    try:
        begin = time.monotonic()
        try:
            # The low-level calls: they take bodies as they are, and never pull.
            network = {**bodies.network}
            client.api.create_network(
                network["Name"],
                driver=network["Driver"],
                internal=network["Internal"],
                labels=network["Labels"],
                options=network["Options"],
                ipam=network["IPAM"],
            )
            started = []
            for body in bodies.containers.values():
                created = client.api.create_container_from_config(body)
                client.api.start(created["Id"])
                started.append(created["Id"])
            for each in started:
                _wait(client, each, begin + _SECONDS)
            up = time.monotonic() - begin
        finally:
            begin = time.monotonic()
            _remove(client, bodies)
        return up, time.monotonic() - begin
    finally:
        client.close()


def _wait(client: docker.DockerClient, container: str, end: float) -> None:
    while client.api.inspect_container(container)["State"]["Health"]["Status"] != "healthy":
        if time.monotonic() > end:
            raise TimeoutError(f"{container} is not healthy")
        time.sleep(_POLL_SECONDS)


def _remove(client: docker.DockerClient, bodies: Bodies) -> None:
    mine = {"label": bodies.label}
    for each in client.api.containers(all=True, filters=mine):
        client.api.remove_container(each["Id"], v=True, force=True)
    for network in client.api.networks(filters=mine):
        end = time.monotonic() + _SECONDS
        while True:
            try:
                client.api.remove_network(network["Id"])
                break
            except APIError as error:
                if "active endpoints" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(_POLL_SECONDS)
