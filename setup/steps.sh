# Prints each long step as one line with its time; the output of its programs goes to the log.

say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'set-up: %s\n' "$@" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# A prompt needs both a keyboard and a screen.
is_attended() { [ -t 0 ] && [ -t 2 ]; }

start_log() {
    mkdir -p "$(dirname "$LOG")"
    : >"$LOG"
}

# run_step TITLE COMMAND...: runs the command with its output in the log. Ends the set-up if it fails.
run_step() {
    local title=$1 begun=$SECONDS code=0
    shift
    printf '\n== %s: %s\n' "$title" "$*" >>"$LOG"
    # Its own process group, so that an interruption reaches the step's programs and not only its shell.
    set -m
    ("$@") >>"$LOG" 2>&1 </dev/null &
    STEP=$!
    set +m
    trap 'end_step; exit 130' INT
    trap 'end_step; exit 143' TERM HUP
    show_progress "$title" "$begun"
    wait "$STEP" || code=$?
    trap - INT TERM HUP
    if [ "$code" -ne 0 ]; then
        report_failure "$title" "$code"
        exit 1
    fi
    clear_line
    say "  $title: done, $((SECONDS - begun)) s"
}

end_step() {
    kill -TERM -- "-$STEP" 2>/dev/null || true
    clear_line
    say "set-up: interrupted; run it again to continue"
}

show_progress() {
    if ! [ -t 2 ]; then
        say "  $1 ..."
        return
    fi
    while kill -0 "$STEP" 2>/dev/null; do
        printf '\r\033[K  %s ... %d s' "$1" "$((SECONDS - $2))" >&2
        sleep 0.2
    done
}

clear_line() {
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

report_failure() {
    clear_line
    say "  $1: FAILED (exit code $2)"
    # The step's part of the log begins at the last header.
    tail -n 20 "$LOG" | sed -n '/^== /h; H; ${x; s/.*\n== [^\n]*\n//; p}' | sed 's/^/    /' >&2
    say "  the whole log: $LOG"
}
