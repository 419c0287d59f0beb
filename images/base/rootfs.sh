#!/bin/sh
# Writes a minimal Debian 13 root file system as tar on standard output.
# The mirror is the bootstrap tool's own default; nothing here names one.
set -eu
# dpkg itself leaves paths out. Named by --dpkgopt, they would send each package that is unpacked before there is a
# dpkg through a filter in Python, a third of the whole; of those packages they are removed.
exec mmdebstrap --quiet --variant=minbase --format=tar \
    --aptopt='APT::Install-Recommends "false"' \
    --aptopt='Acquire::Languages "none"' \
    --dpkgopt='force-unsafe-io' \
    --setup-hook='printf "%s\n" > "$1/etc/dpkg/dpkg.cfg.d/left-out" \
        "path-exclude=/usr/share/doc/*" \
        "path-include=/usr/share/doc/*/copyright" \
        "path-exclude=/usr/share/info/*" \
        "path-exclude=/usr/share/locale/*" \
        "path-exclude=/usr/share/man/*"' \
    --extract-hook='cd "$1/usr/share" && rm -rf info/* locale/* man/* \
        && find doc ! -type d ! -name copyright -delete' \
    trixie -
