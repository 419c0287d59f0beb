# The host rule: drops what passes between a session's bridge and anything else (deploy/host-rule/README.md). Sessions need it to start.

HOST_RULE=deploy/host-rule/dryrun-host-rule

ensure_host_rule() {
    if is_root; then
        if ! "$HOST_RULE" check >/dev/null 2>&1; then
            run_step "Host rule against traffic from sessions" "$HOST_RULE" install
        fi
    elif ! [ -e "${SETUP_HOST_RULE_MARK:-/etc/dryrun-host-rule}" ]; then
        fail "the host rule is not installed, and no session starts without it; run once:" \
            "    sudo $ROOT/$HOST_RULE install"
    fi
}
