"""What a machine needs for dry-runs. Each check examines one thing and changes nothing."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from dryrun_local.doctor import engine_checks, installation_checks, machine_checks
from dryrun_local.doctor.check_result import CheckResult
from dryrun_local.machine.engine_view import open_engine
from dryrun_local.machine.errors import EngineError
from dryrun_local.machine.installation import Installation


async def all_results(installation: Installation, environ: Mapping[str, str]) -> AsyncIterator[CheckResult]:
    """Yield one result per check, in the order in which a person would fix them."""
    yield installation_checks.python_environment(installation)
    for name, package in (("docker", "docker-cli"), ("mmdebstrap", "mmdebstrap")):
        yield machine_checks.program(name, package)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(environ))
        try:
            info, version = await engine.get("/info"), await engine.get("/version")
        except EngineError as error:
            yield CheckResult(
                "Docker Engine", "missing", str(error).split("; ")[0], engine_checks.engine_fixes()
            )
        else:
            yield engine_checks.engine_version(version)
            yield engine_checks.limits(info)
            yield (images := await installation_checks.images(installation))
            if images.state == "ok":
                yield installation_checks.files(installation)
            if (replicas := await installation_checks.installed_replicas(installation)) is not None:
                yield replicas
            yield await engine_checks.session_leftovers(engine)
            yield machine_checks.disk("disk, engine", Path(info["DockerRootDir"]))
    yield await machine_checks.host_rule(installation)
    yield machine_checks.subnet_pool(
        environ.get("ORCHESTRATOR_SUBNET_POOL", machine_checks.DEFAULT_POOL), machine_checks.host_routes()
    )
    yield await machine_checks.embedded_postgres(environ)
    yield machine_checks.disk("disk, checkout", installation.root)
    yield machine_checks.ports()
    yield installation_checks.local_services(installation)
