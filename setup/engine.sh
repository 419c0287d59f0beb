# Docker Engine: used as it is if it answers, started if it is stopped, installed if it is missing.

# Health checks with a start interval came with Engine 25 (API 1.44).
OLDEST_ENGINE=25

# Prints the engine's version; errors of docker go to engine.err.
engine_version() {
    timeout 20 docker version --format '{{.Server.Version}}' 2>"$ROOT/.dryrun/logs/engine.err"
}

engine_error() { tr '\n' ' ' <"$ROOT/.dryrun/logs/engine.err"; }

ensure_engine() {
    local version
    if ! version=$(engine_version); then
        bring_engine_up
        version=$(engine_version) || fail "the engine was started but does not answer: $(engine_error)"
    fi
    if [ "${version%%.*}" -lt "$OLDEST_ENGINE" ]; then
        fail "Docker Engine $version answers; the images' health checks need $OLDEST_ENGINE or newer" \
            "upgrade it from the source that it was installed from, then run this again"
    fi
}

bring_engine_up() {
    if [ -n "${DOCKER_HOST:-}" ]; then
        fail "DOCKER_HOST is $DOCKER_HOST, but no engine answers there: $(engine_error)" \
            "start that engine, or unset DOCKER_HOST to use this machine's"
    fi
    if grep -q 'permission denied' "$ROOT/.dryrun/logs/engine.err"; then
        fail "an engine is running, but $(id -un) may not use it; members of the group docker may" \
            "(which makes them as powerful as root on this machine). To join it:" \
            "    sudo usermod -aG docker $(id -un), then log in again"
    fi
    if ! command -v dockerd >/dev/null; then
        install_engine
    fi
    # Installing Debian's package may have started it.
    if ! engine_version >/dev/null; then
        start_engine
    fi
}

install_engine() {
    local packages=(docker.io)
    # Where the kernel enables AppArmor, the engine refuses to start containers without its parser.
    if grep -qs Y /sys/module/apparmor/parameters/enabled && ! command -v apparmor_parser >/dev/null; then
        packages+=(apparmor)
    fi
    if ! is_root; then
        fail "there is no Docker Engine on this machine" \
            "install and start it as root, then run this again:" \
            "    sudo apt-get update && sudo apt-get install ${packages[*]} docker-cli" \
            "    sudo usermod -aG docker $(id -un), then log in again"
    fi
    if is_attended; then
        ask "Docker Engine is not installed. Install Debian's (${packages[*]}) now?"
    fi
    install_packages "${packages[@]}"
}

ask() {
    local answer
    read -r -p "set-up: $1 [Y/n] " answer || answer=n
    case $answer in
        "" | [yY]*) ;;
        *) fail "not installed; nothing was changed" ;;
    esac
}

start_engine() {
    if ! is_root; then
        fail "Docker Engine does not answer: $(engine_error)" \
            "start it as root, then run this again:  sudo systemctl start docker"
    fi
    if [ -d "${SETUP_SYSTEMD:-/run/systemd/system}" ]; then
        run_step "Docker Engine starts" systemctl start docker
    else
        run_step "Docker Engine starts" start_dockerd
    fi
}

# For machines without systemd: in the background, so that it survives the set-up.
start_dockerd() {
    local run=${SETUP_RUN:-/var/run} log=${SETUP_DOCKERD_LOG:-/var/log/dockerd.log} tries
    remove_stale_pid_file "$run/docker.pid" dockerd
    remove_stale_pid_file "$run/docker/containerd/containerd.pid" containerd
    if ! grep -qs ' /sys/fs/cgroup' /proc/mounts; then
        mount -t cgroup2 cgroup2 /sys/fs/cgroup
    fi
    setsid dockerd >>"$log" 2>&1 </dev/null &
    for ((tries = 0; tries < ${SETUP_ENGINE_TRIES:-120}; tries++)); do
        if engine_version; then return; fi
        if ! kill -0 $! 2>/dev/null; then break; fi
        sleep 0.5
    done
    echo "dockerd does not answer; last lines of $log:"
    tail -n 15 "$log"
    return 1
}

# After a crash another program may have the process id in the file; dockerd then refuses to start.
remove_stale_pid_file() {
    local pid
    if ! [ -s "$1" ]; then return; fi
    pid=$(cat "$1")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != "$2" ]; then
        echo "removing $1: process $pid is not $2"
        rm -f "$1"
    fi
}
