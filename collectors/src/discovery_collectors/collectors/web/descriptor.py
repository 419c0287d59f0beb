"""The collector `web`: what the front pages of web servers show."""

from discovery_collectors.collector import Descriptor

DESCRIPTOR = Descriptor(
    summary="titles, servers, frameworks and login pages of web servers found before",
    provides=("web_app",),
    needs=("service",),
)
