"""Imported by a process that the approval API is forked from: has its routes analysed.

FastAPI does that when the first request looks for its route, which takes each API 0.1 s of processor.
"""

from approval_api.routes import routes

_NOWHERE = {"type": "http", "method": "GET", "path": "/nowhere", "root_path": "", "headers": []}

for _route in routes(dryrun=True, metrics=True):
    _route.matches(_NOWHERE)
