# The root file system is read-only: the server works on a copy in memory, which ends with the container.
set -eu
cp -R --sparse=always /srv/ldap/data/. /run/ldap
# The overlay opens its file anew for every change, so it is this program's own output.
ln -s /proc/1/fd/1 /run/ldap/changes
exec slapd -d stats -h 'ldap://0.0.0.0/ ldapi://%2Frun%2Fldap%2Fldapi' -f /srv/ldap/slapd.conf
