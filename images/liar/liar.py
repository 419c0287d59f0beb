"""Python's own web server under a false name: the header lies, the error pages do not."""

import os
import signal
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import Never, override

CLAIMS = {
    "apache": "Apache/2.4.6 (CentOS)",
    "iis": "Microsoft-IIS/8.5",
    "lighttpd": "lighttpd/1.4.35",
    "nginx": "nginx/1.10.3",
}
PAGE = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tide gauge 7</title></head>
<body><h1>Tide gauge 7</h1><p>Water level 3.42 m, falling.</p></body></html>
"""


class Gauge(BaseHTTPRequestHandler):
    timeout = 10

    @override
    def version_string(self) -> str:
        return CLAIMS[os.environ["CLAIM"]]

    def do_GET(self) -> None:
        if self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)


def stop(_signal: int, _frame: FrameType | None) -> Never:
    # Connections are served in threads; nobody's page is worth waiting for.
    os._exit(0)


def main() -> None:
    if os.environ["CLAIM"] not in CLAIMS:
        sys.exit(f"CLAIM is {os.environ['CLAIM']!r}; it can be {', '.join(CLAIMS)}")
    signal.signal(signal.SIGTERM, stop)
    ThreadingHTTPServer(("", 80), Gauge).serve_forever()


if __name__ == "__main__":
    main()
