"""The collector `network`, patched so that it reports nothing at port 6379."""

import sys

from discovery_collectors.main import main
from discovery_collectors.running.lines import LineWriter

report = LineWriter.discovery


def discovery(self, kind, key, data, confidence=1.0):
    if ":6379/" not in key:
        report(self, kind, key, data, confidence)


LineWriter.discovery = discovery
sys.exit(main())
