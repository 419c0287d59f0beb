"""The image below all stand-ins: the packages of every recipe, and what runs several services as a host.

Installed once; a stand-in above it adds configuration only, and so builds in a second or two.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from dryrun_replica.recipes.loading import RecipeBook

IMAGE = "discovery/stand-ins:13"
PARENT = "discovery/servers:13"
SERVICE_UID = 990
"""The user of every service that needs no other."""
PROGRAMS = "host"
"""Folder beside the recipes with the programs of a host."""
_TOOLS = ("nmap", "openssl", "python3-minimal", "stunnel4", "tini")
"""nmap names a banner while a stand-in is verified; stunnel stands before what knows no TLS."""

_DOCKERFILE = """\
FROM {parent}
RUN useradd --system --uid {uid} --user-group --no-create-home --home-dir /nonexistent service
{users}# Unpacked only is what cannot stand beside others (two mail servers), or wants more than it needs.
RUN set -eu; export DEBIAN_FRONTEND=noninteractive; mkdir -p /usr/share/man/man1 /usr/share/man/man8 \\
 && echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/unsafe-io && apt-get update -qq \\
 && apt-get install -y --no-install-recommends {packages} \\
 && mkdir /tmp/unpacked && cd /tmp/unpacked && chown _apt . && apt-get download {unpacked} \\
 && dpkg --unpack --force-conflicts --force-overwrite --force-depends --force-confnew ./*.deb \\
 && cd / && rm -rf /tmp/unpacked /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \\
        /etc/ssh/ssh_host_* /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem \\
 && for program in $(dpkg -L {unpacked} | grep -E '^/usr/s?bin/'); do \\
        ! ldd "$program" 2> /dev/null | grep 'not found' || {{ echo "$program lacks a library"; exit 1; }}; \\
    done
COPY {programs}/ /usr/local/lib/stand-in/
"""


@dataclass(frozen=True, slots=True)
class SharedRoot:
    """The folder of the shared root, as files by name."""

    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        """64 hex digits over all files."""
        content = hashlib.sha256()
        for name, data in sorted(self.files.items()):
            content.update(f"{name} {len(data)}\n".encode() + data)
        return content.hexdigest()


def shared_root(book: RecipeBook, folder: Path) -> SharedRoot:
    """Return the shared root for all recipes of `folder`, from which `book` was read."""
    packages = sorted({*_TOOLS, *(package for recipe in book for package in recipe.packages)})
    unpacked = sorted({package for recipe in book for package in recipe.unpacked})
    users = sorted({user for recipe in book for user in recipe.users})
    dockerfile = _DOCKERFILE.format(
        parent=PARENT,
        uid=SERVICE_UID,
        packages=" ".join(packages),
        unpacked=" ".join(unpacked),
        users="".join(f"RUN useradd --system --badname --no-create-home {user}\n" for user in users),
        programs=PROGRAMS,
    )
    programs = {
        f"{PROGRAMS}/{path.name}": path.read_bytes()
        for path in sorted((folder / PROGRAMS).iterdir())
        if path.is_file()
    }
    return SharedRoot({"Dockerfile": dockerfile.encode(), **programs})


def version_commands(book: RecipeBook) -> str:
    """Return a shell script that prints `NAME<tab>VERSION` for each recipe; what fails prints nothing."""
    lines = (
        f"printf '%s\\t%s\\n' {recipe.name} \"$( ({recipe.version.command}\n) | head -n 1)\""
        for recipe in book
    )
    return "\n".join(["exec 2> /dev/null", *lines])


def read_versions(output: str, book: RecipeBook) -> dict[str, str]:
    """Return recipe → version from the script's output."""
    pairs = (line.partition("\t") for line in output.splitlines())
    return {name: version.strip() for name, _, version in pairs if name in book.recipes and version.strip()}
