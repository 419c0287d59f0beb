# Debian packages, each checked by the program that it contains, so that other sources of the program count too.

# missing_packages PURPOSE: prints the packages whose program is missing on this machine.
missing_packages() {
    if ! find_uv >/dev/null; then want_venv; fi
    if [ "$1" = check ]; then return; fi
    want docker docker-cli
    want mmdebstrap mmdebstrap
    # For the host rule.
    want nft nftables
    want ip iproute2
    want_plugin docker-buildx
    # For mmdebstrap without root.
    if ! is_root; then want newuidmap uidmap; fi
    if [ "$1" != demo ]; then
        # Releases are built from commits.
        want git git
        want chromium-headless-shell chromium-headless-shell
        want haproxy haproxy
        # For the tests of the isolation probe.
        command -v cc >/dev/null || printf '%s\n' gcc libc6-dev
        want nmap nmap
        # For the tests of signed reports.
        want ssh-keygen openssh-client
        # For tests/chaos: wrong clocks, and disks of a few megabytes.
        want faketime faketime
        want mkfs.ext4 e2fsprogs
        # The engine runs ps to list a container's processes.
        want ps procps
        want sysctl procps
        want_plugin docker-compose
    fi
    # For a kernel that can encrypt.
    if [ "$1" = nightly ]; then want qemu-system-x86_64 qemu-system-x86; fi
}

want() {
    command -v "$1" >/dev/null || printf '%s\n' "$2"
}

# Docker's plug-ins are files in one of these folders, not commands.
want_plugin() {
    local folder
    for folder in "$HOME/.docker/cli-plugins" ${SETUP_PLUGIN_FOLDERS:-/usr/libexec/docker/cli-plugins \
        /usr/lib/docker/cli-plugins /usr/local/libexec/docker/cli-plugins /usr/local/lib/docker/cli-plugins}; do
        if [ -x "$folder/$1" ]; then return; fi
    done
    printf '%s\n' "$1"
}

# uv is installed from a wheel; Debian's Python needs two more packages to make a virtual environment for it.
want_venv() {
    local python
    python=$(find_python) || python=/usr/bin/python3
    "$python" -c 'import ensurepip' 2>/dev/null || printf '%s\n' python3 python3-venv ca-certificates
}

ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$1" | sort -u)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
}

install_packages() {
    if ! command -v apt-get >/dev/null; then
        fail "this machine has no apt-get, and the set-up supports Debian's packages only" \
            "install the programs of these packages, then run this again: $*"
    fi
    if ! is_root; then
        fail "these Debian packages are missing: $*" \
            "install them as root, then run this again:" \
            "    sudo apt-get update && sudo apt-get install --no-install-recommends $*"
    fi
    if [ -z "${PACKAGE_LISTS_ARE_FRESH:-}" ]; then
        run_step "Debian's package lists" apt-get update
        PACKAGE_LISTS_ARE_FRESH=yes
    fi
    local title="Debian packages $*"
    # One line on a narrow terminal; the log lists all.
    if [ "$#" -gt 4 ]; then title="Debian packages ${*:1:3} and $(($# - 3)) more"; fi
    run_step "$title" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "$@"
}
