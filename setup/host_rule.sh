# The host rule: what comes from a session's bridge is dropped (docs: isolation). Sessions refuse without it.

HOST_RULE=deploy/host-rule/dryrun-host-rule

ensure_host_rule() {
    if is_root; then
        if ! "$HOST_RULE" check >/dev/null 2>&1; then
            run_step "Host rule against traffic from test networks" "$HOST_RULE" install
        fi
    elif ! [ -e "${SETUP_HOST_RULE_MARK:-/etc/dryrun-host-rule}" ]; then
        fail "the host rule is not installed, and sessions refuse to start without it; as root, once:" \
            "    sudo $ROOT/$HOST_RULE install"
    fi
}
