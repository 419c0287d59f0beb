"""Fetches a file; the answer comes from another port than the one asked, which the shell does not take.

It asks again as clients do: the server drops the first request of its life.
"""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(0.25)
    for _ in range(7):
        asking.sendto(b"\0\1/srv/tftp/motd\0octet\0", ("127.0.0.1", 69))
        try:
            answer, source = asking.recvfrom(600)
        except TimeoutError:
            continue
        asking.sendto(b"\0\4\0\1", source)
        if answer.startswith(b"\0\3\0\1Boot"):
            raise SystemExit(0)
raise SystemExit("no answer, or another file")
