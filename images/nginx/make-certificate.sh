#!/bin/sh
# Issues the server's certificate by an internal CA that is made for it and whose key is thrown away.
# Names and dates are fixed: templates name them as ground truth.
set -eu
into=$1
work=$(mktemp -d)
mkdir -p "$into"
valid="-not_before 20250101000000Z -not_after 20391231235959Z"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc $valid \
    -subj '/O=Pineharbour Ltd/CN=Pineharbour Internal CA' \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$work/ca.key" -out "$into/ca.crt" 2> /dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
    -subj '/O=Pineharbour Ltd/CN=www.pineharbour.example' -keyout "$into/server.key" -out "$work/server.csr" 2> /dev/null
cat > "$work/extensions" <<'EXTENSIONS'
subjectAltName = DNS:www.pineharbour.example, DNS:shop.pineharbour.example
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
EXTENSIONS
openssl x509 -req -in "$work/server.csr" -CA "$into/ca.crt" -CAkey "$work/ca.key" $valid \
    -extfile "$work/extensions" -out "$into/server.crt" 2> /dev/null
openssl verify -CAfile "$into/ca.crt" "$into/server.crt"
rm -rf "$work"
