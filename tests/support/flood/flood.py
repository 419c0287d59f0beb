"""A collector that says as much, and as fast, as its one credential demands."""

import json
import os
import signal
import sys
import time

LINES_AT_ONCE = 500


def line(number: int, *, discovery_every: int, warning_every: int, word: str) -> str:
    if discovery_every and number % discovery_every == 0:
        key = f"10.213.{number >> 20}.{number >> 12 & 255}:{(number & 4095) + 1}/tcp"
        return f'{{"type":"discovery","kind":"service","key":"{key}"}}\n'
    if warning_every and number % warning_every == 1:
        return '{"type":"warning","message":"again"}\n'
    return word + "\n" if word else f'{{"type":"progress","done":{number}}}\n'


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    config = json.loads(os.environ["DISCOVERY_CONFIG"])
    wanted = json.loads(config["credentials"][0]["password"])
    lines, pause = wanted.pop("lines"), wanted.pop("pause_seconds", 0)
    shape = {"discovery_every": 0, "warning_every": 0, "word": "", **wanted}
    discoveries = 0
    for start in range(0, lines, LINES_AT_ONCE):
        piece = [line(number, **shape) for number in range(start, min(start + LINES_AT_ONCE, lines))]
        discoveries += sum(text.startswith('{"type":"discovery"') for text in piece)
        sys.stdout.write("".join(piece))
        if pause:
            sys.stdout.flush()
            time.sleep(pause)
    sys.stdout.write(json.dumps({"type": "end", "discoveries": discoveries}) + "\n")


main()
