# The root file system is read-only: state lies in memory and ends with the container.
set -eu
cp -R /srv/smb/data/. /run/samba
exec smbd --foreground --no-process-group --debug-stdout --configfile=/srv/smb/smb.conf
