"""What a deployment answers: its API, and its database."""

import time

import httpx2
from deployment import Deployment


def rows(deployment: Deployment, what: str, role: str = "owner") -> str:
    command = ["psql", "--host=/run/postgresql", f"--username={role}", "--dbname=dryrun", "--tuples-only"]
    return deployment.inside("postgres", *command, "--no-align", "--command", what)


def token_of(deployment: Deployment) -> str:
    return (deployment.state / "secrets" / "api_tokens").read_text().strip().partition(":")[2]


def ask(deployment: Deployment, path: str, token: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.get(f"{deployment.url}{path}", headers=headers, trust_env=False, timeout=20)


def follows(deployment: Deployment) -> bool:
    try:
        answer = httpx2.get(f"{deployment.url}/readyz", trust_env=False, timeout=20)
    except httpx2.HTTPError:
        return False
    return answer.status_code == httpx2.codes.OK and answer.json()["status"] == "ready"


def until_it_follows(deployment: Deployment) -> None:
    deadline = time.monotonic() + 60
    while not follows(deployment):
        assert time.monotonic() < deadline, deployment.logs()
        time.sleep(0.5)
