"""`deploy/prepare`: writes what compose.yaml reads and git does not hold, once it has judged it.

What exists stays, except what follows this machine: allowlist, imported networks, certificate authorities.
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

from advice import Hint
from earlier import require_no_other_secrets
from host_rule import advice_on_host_rule
from judging import Deployment
from settings_file import DEPLOY, NO_FILE, RefusedError, SettingsFile
from state_folder import READERS, StateFolder, require_installed
from units import advice_on_units

PREFIX = "10.212.255"
POOL = "10.213.0.0/16"
IN_ORDER = ("postgres", "migrate", "docker-proxy", "dryrun-orchestrator", "approval-api", "approval-delivery")
"""Services, in the order in which they are recreated."""
UNITS = {
    "docker-proxy": "docker-guard",
    **{name: name for name in ("dryrun-orchestrator", "approval-api", "approval-delivery")},
}
"""The unit of deploy/systemd that runs each, in the same order; the database there is the operator's."""
NOT_READY = 3
"""The exit code where something has to be done before the start: `deploy/prepare && …` ends there."""
USAGE = f"""deploy/prepare [OPTION…] [COMMAND]

  --state FOLDER    what is written (that of DRYRUN_STATE in FILE, or deploy/state)
  --env FILE        the settings (deploy/.env)
  --prefix A.B.C    the first three numbers of the addresses in compose.yaml ({PREFIX}): sets DRYRUN_PREFIX,
                    where FILE does not
  --public-url URL  the URL of a reverse proxy on this host in front of the published port: sets
                    APPROVAL_PUBLIC_URL, and APPROVAL_TRUSTED_PROXIES to that proxy's address
  --deliver-to HOSTS
                    run approval-delivery too, which sends to these hosts only: sets DELIVERY_HOSTS
                    (docs/deliveries.md), and adds its profile to COMPOSE_PROFILES; an empty
                    HOSTS takes both away again

  with-dryrun       (default) create what is missing, for production and dry-runs on this engine
  without-dryrun    the same for production only: no orchestrator, no guard, no engine socket
  rotate SECRET…    replace these secrets (docs/operations.md lists the services to restart)
  secrets           list the secrets

exit codes: 0 ready, perhaps with hints; 1 refused; 2 wrong usage; 3 written, and something is to be done
before the start

SECRET is one of: {" ".join(READERS)}"""


def main() -> None:
    """Run a command; exit code 1 with the reason where it refuses, 2 for wrong usage, or NOT_READY."""
    os.umask(0o077)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Keys are made in a temporary folder, which goes when the program ends this way.
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, lambda number, _: sys.exit(128 + number))
    parser = argparse.ArgumentParser("deploy/prepare", usage=USAGE)
    for name in ("state", "env", "prefix", "public-url", "deliver-to"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    commands = ("with-dryrun", "without-dryrun", "rotate", "secrets")
    parser.add_argument("command", nargs="?", default=commands[0], choices=commands, help=argparse.SUPPRESS)
    parser.add_argument("secrets", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if "" in {options.state, options.env}:
        parser.error("--state needs a folder, and --env needs a file")
    if options.secrets and options.command != "rotate":
        parser.error(f"'{options.secrets[0]}' comes after the command '{options.command}'")
    if options.command == "rotate":
        unknown = "".join(f"there is no secret {name}; " for name in options.secrets if name not in READERS)
        if unknown or not options.secrets:
            parser.error(f"{unknown or 'name the secrets to rotate; '}there are: {', '.join(READERS)}")
    try:
        _run(options)
    except (RefusedError, OSError) as error:
        print(f"prepare: {error}", file=sys.stderr)
        sys.exit(1)


def _run(options: argparse.Namespace) -> None:
    if options.command == "secrets":
        print("\n".join(READERS))
        return
    options.env = Path(options.env or DEPLOY / ".env").resolve()
    settings = SettingsFile.read(options.env)
    given = (
        Path(options.state).absolute() if options.state else settings.values.get("DRYRUN_STATE") or "state"
    )
    state = StateFolder((DEPLOY / given).resolve())
    match options.command:
        case "rotate":
            _rotate(options.secrets, settings, state)
        case command:
            _prepare(options, settings, state, dryrun=command == "with-dryrun")


def _prepare(
    options: argparse.Namespace, settings: SettingsFile, state: StateFolder, *, dryrun: bool
) -> None:
    """Judge what would be written, and write it only if it works."""
    deployment, before = None, settings
    if settings.path != NO_FILE:
        settings = before.with_values(_wanted(options, before.values, state, dryrun=dryrun))
        deployment = Deployment(settings, state)
        for fault in deployment.faults():
            raise RefusedError(fault)
        require_no_other_secrets(before, settings, state)
    elif options.prefix or options.public_url or options.deliver_to is not None:
        raise RefusedError(
            f"{NO_FILE} takes no setting: write what these options set into the services' units"
        )
    if dryrun:
        require_installed()
        state.require_replaceable()
    state.complete()
    if deployment:
        settings.write()
        added = [name for name, value in settings.values.items() if value and not before.values.get(name)]
        if before.text and added:
            print(f"prepare: added to {settings.path}: {' '.join(added)}")
    if dryrun:
        _take_over(settings, state, deployment)
    _tell(options, settings, state, deployment, dryrun=dryrun)


def _tell(
    options: argparse.Namespace,
    settings: SettingsFile,
    state: StateFolder,
    deployment: Deployment | None,
    *,
    dryrun: bool,
) -> None:
    """Print what is left to do, and end with NOT_READY where the start has to wait for some of it."""
    # No file of Compose is named: that would leave out those that the settings add, traces for one.
    named = "" if settings.path == DEPLOY / ".env" else f" --env-file {settings.path}"
    compose = f"cd {DEPLOY} && docker compose{named}"
    advice = [*advice_on_host_rule()]
    if deployment:
        advice += deployment.advice(dryrun=dryrun)
    elif dryrun:
        advice += advice_on_units(state.policy)
    if options.deliver_to == "":
        remove = "--profile deliveries rm --stop --force approval-delivery"
        advice.append(Hint(f"an approval-delivery that runs goes on until: {compose} {remove}"))
    to_do = [each for each in advice if not isinstance(each, Hint)]
    for hint in (each for each in advice if isinstance(each, Hint)):
        print(f"prepare: hint: {hint}", file=sys.stderr)
    for each in to_do:
        print(f"prepare: {each}", file=sys.stderr)
    if to_do:
        lines = "line above names" if len(to_do) == 1 else f"{len(to_do)} lines above name"
        print(f"prepare: written, and not ready: do what the {lines}, then run it again")
        sys.exit(NOT_READY)
    up = f"{compose} up -d --wait" if deployment else "systemctl (docs/operations.md)"
    print(f"prepare: ready; next: {up}")


def _take_over(settings: SettingsFile, state: StateFolder, deployment: Deployment | None) -> None:
    """Write what this machine has installed, and the policy that goes with the settings."""
    if changes := state.write_installed():
        print(f"prepare: templates of imported networks: {', '.join(changes)}")
    orchestrator = deployment and deployment.orchestrator
    # Where none runs yet, the settings say what it will be.
    client = (deployment and deployment.client) or f"{settings.values.get('DRYRUN_PREFIX') or PREFIX}.62"
    pool = orchestrator.subnet_pool if orchestrator else settings.values.get("DRYRUN_SUBNET_POOL") or POOL
    state.write_policy(client, str(pool))


def _wanted(
    options: argparse.Namespace, values: Mapping[str, str], state: StateFolder, *, dryrun: bool
) -> dict[str, str]:
    """Return the settings that the file should have; an empty one it should not."""
    prefix = values.get("DRYRUN_PREFIX") or options.prefix or PREFIX
    if options.prefix and prefix != options.prefix:
        try:
            IPv4Network(f"{options.prefix}.0/24")
        except ValueError:
            raise RefusedError(
                f"--prefix {options.prefix}: write the first three numbers of a private address, "
                "10.212.254 for example"
            ) from None
        raise RefusedError(
            f"--prefix {options.prefix}: {options.env} has DRYRUN_PREFIX={prefix}, which stays. "
            "To change it: docker compose down, write it there, and "
            f'{options.prefix}.62/32 into "client_networks" of {state.policy}'
        )
    profiles = [each for each in values.get("COMPOSE_PROFILES", "").split(",") if each]
    if dryrun and not values.get("DRYRUN") and "dryrun" not in profiles:
        profiles.insert(0, "dryrun")
    # Without dry-runs Compose interpolates the group even though its service is left out.
    group = Path("/var/run/docker.sock").stat().st_gid if dryrun and not values.get("DOCKER_GID") else 0
    wanted = {"DRYRUN_STATE": str(state.path), "DOCKER_GID": str(group), "DRYRUN": "on" if dryrun else "off"}
    wanted = {name: values.get(name) or value for name, value in wanted.items()} | {"DRYRUN_PREFIX": prefix}
    if options.public_url:
        wanted |= {"APPROVAL_PUBLIC_URL": options.public_url, "APPROVAL_TRUSTED_PROXIES": f"{prefix}.1"}
    if options.deliver_to is not None:
        wanted["DELIVERY_HOSTS"] = options.deliver_to
        profiles = [each for each in profiles if each != "deliveries"] + ["deliveries"] * bool(
            options.deliver_to
        )
    return wanted | {"COMPOSE_PROFILES": ",".join(profiles)}


def _rotate(names: list[str], settings: SettingsFile, state: StateFolder) -> None:
    """Replace secrets, and print which services to recreate."""
    if not state.has_secrets:
        raise RefusedError(f"{state.path} has no secrets to rotate; run deploy/prepare first")
    for name in names:
        state.make(name)
    readers = {service for name in names for service in READERS[name]}
    if not settings.text:
        _name_units(readers)
        return
    command = "docker compose up -d --wait --no-deps --force-recreate SERVICE"
    print(f"prepare: recreate in this order, each by {command}:")
    for service in (each for each in IN_ORDER if each in readers and each in settings.model["services"]):
        print(f"  {service}{' (without --wait: it ends)' if service == 'migrate' else ''}")


def _name_units(readers: set[str]) -> None:
    """Print which units to restart where systemd runs the services."""
    if "postgres" in readers:
        print(
            "prepare: first set the new password in PostgreSQL, and your server in its URL; see operations.md"
        )
    units = [unit for service, unit in UNITS.items() if service in readers]
    if units:
        print("prepare: restart in this order, each by systemctl restart UNIT, what runs here:")
        print("\n".join(f"  {unit}" for unit in units))
    else:
        print("prepare: no unit reads it")


if __name__ == "__main__":
    main()
