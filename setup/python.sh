# The Python environment in .venv: made by uv, everything from pinned hashes, this project's packages editable.

PACKAGES=(contract serving guard orchestrator collectors approval cli local replica)

# Prints a Python that is new enough; the first one on PATH may be an old one.
find_python() {
    local candidate
    for candidate in python3.13 /usr/bin/python3.13 python3.14 python3 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

find_uv() {
    if [ -x "$ROOT/.uv/bin/uv" ]; then
        printf '%s\n' "$ROOT/.uv/bin/uv"
    else
        command -v uv
    fi
}

ensure_python() {
    local stamp=$ROOT/.venv/.setup wanted
    wanted=$(cat requirements/build.txt requirements/dev.txt requirements/uv.txt "${PACKAGES[@]/%//pyproject.toml}" setup/python.sh | sha256sum)
    if [ -x .venv/bin/python ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted $ROOT" ]; then
        return
    fi
    if ! find_uv >/dev/null; then
        run_step "uv, the Python package installer" install_uv
    fi
    run_step "Python environment" make_environment
    printf '%s\n' "$wanted $ROOT" >"$stamp"
}

# What only `make bench` needs: it draws, and it compares with other people's libraries.
ensure_bench_libraries() {
    local stamp=$ROOT/.venv/.bench wanted
    wanted=$(cat requirements/bench.txt "$ROOT/.venv/.setup" | sha256sum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        run_step "libraries of the bench" install_bench_libraries
        printf '%s\n' "$wanted" >"$stamp"
    fi
}

install_bench_libraries() {
    VIRTUAL_ENV=$ROOT/.venv "$(find_uv)" pip install --require-hashes -r requirements/bench.txt
}

install_uv() {
    local python
    python=$(find_python) || python=python3
    rm -rf .uv
    "$python" -m venv .uv
    .uv/bin/python -m pip install --disable-pip-version-check --require-hashes -r requirements/uv.txt
}

make_environment() {
    local uv python editable package
    uv=$(find_uv)
    # Where there is none, uv brings one of its own.
    python=$(find_python) || python=3.13
    export VIRTUAL_ENV=$ROOT/.venv
    if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
        "$uv" venv --allow-existing --python "$python" .venv
    fi
    # What has no wheel is built with these, and not with what an index has today.
    "$uv" pip install --require-hashes -r requirements/build.txt
    "$uv" pip install --require-hashes --no-build-isolation -r requirements/dev.txt
    editable=()
    for package in "${PACKAGES[@]}"; do editable+=(-e "./$package"); done
    # The build backend is pinned with the rest, so nothing is fetched to build with.
    "$uv" pip install --no-deps --no-build-isolation "${editable[@]}"
    # Services start in half the time, also where PYTHONDONTWRITEBYTECODE keeps Python from doing this. Files
    # that do not compile are other Python versions' business.
    .venv/bin/python -m compileall -q -j 0 .venv/lib "${PACKAGES[@]/%//src}" || true
}
