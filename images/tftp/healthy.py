"""Fetches a file; the answer comes from another port than the one asked, which the shell does not take."""

import socket

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(1)
    asking.sendto(b"\0\1/srv/tftp/motd\0octet\0", ("127.0.0.1", 69))
    answer, source = asking.recvfrom(600)
    asking.sendto(b"\0\4\0\1", source)
if not answer.startswith(b"\0\3\0\1Boot"):
    raise SystemExit(f"not the file: {answer[:40]!r}")
