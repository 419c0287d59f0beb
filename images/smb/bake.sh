# Makes the one user with a password; no template's credential store knows it.
set -eu
mkdir -p /srv/smb/data/private
sed 's,/run/samba,/srv/smb/data,' /srv/smb/smb.conf > /tmp/smb.conf
printf '%s\n%s\n' CANARY-smb-password-a40e6c CANARY-smb-password-a40e6c \
    | pdbedit --configfile=/tmp/smb.conf --create --user=workshop --password-from-stdin > /dev/null
rm /tmp/smb.conf /srv/smb/bake.sh
