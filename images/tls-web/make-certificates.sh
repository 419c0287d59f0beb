#!/bin/sh
# portal: issued by an internal CA, ends soon. nas-2: signed by its own key, as appliances make them.
set -eu
into=$1
work=$(mktemp -d)
mkdir -p "$into"
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
long="-not_before 20250101000000Z -not_after 20360630235959Z"
soon="$(date --utc --date='+21 days' +%Y%m%d)235959Z"

openssl req -x509 $key $long -subj '/O=Pineharbour Ltd/CN=Pineharbour Web CA' \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
    -keyout "$work/ca.key" -out "$into/ca.crt" 2> /dev/null
openssl req $key -subj '/O=Pineharbour Ltd/CN=portal.pineharbour.example' \
    -keyout "$into/portal.key" -out "$work/portal.csr" 2> /dev/null
printf '%s\n' 'subjectAltName = DNS:portal.pineharbour.example' 'basicConstraints = critical, CA:FALSE' \
    'extendedKeyUsage = serverAuth' > "$work/extensions"
openssl x509 -req -in "$work/portal.csr" -CA "$into/ca.crt" -CAkey "$work/ca.key" \
    -not_before 20250101000000Z -not_after "$soon" -extfile "$work/extensions" -out "$into/portal.crt" 2> /dev/null
openssl verify -CAfile "$into/ca.crt" "$into/portal.crt"

openssl req -x509 $key $long -subj '/CN=nas-2.local' -addext 'subjectAltName=DNS:nas-2.local' \
    -keyout "$into/nas-2.key" -out "$into/nas-2.crt" 2> /dev/null
rm -rf "$work"
