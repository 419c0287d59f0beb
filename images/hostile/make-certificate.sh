#!/bin/sh
# A self-signed certificate whose names are markup, a formula, a terminal's escapes and marks that turn text around.
set -eu
mkdir -p "$1"
escape=$(printf '\033')
around=$(printf '\342\200\256')
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -utf8 \
    -not_before 20250101000000Z -not_after 20391231235959Z \
    -subj "/O==HYPERLINK(\"http:\\/\\/evil.example\",\"open\")/OU=${escape}[2J${escape}[31mroot${around}gnp.exe/CN=<script>alert(1)<\\/script>" \
    -addext 'subjectAltName=DNS:<svg onload=alert(1)>.example' \
    -keyout "$1/server.key" -out "$1/server.crt"
openssl x509 -in "$1/server.crt" -noout -subject
