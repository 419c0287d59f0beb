# Makes the one user with a password; no template's credential store knows it.
set -eu
useradd --no-create-home --uid 1000 workshop
chown -R workshop: /srv/shares/projects
chmod -R u=rX,go= /srv/shares/projects
mkdir -p /srv/smb/data/private /run/samba
sed 's,/run/samba,/srv/smb/data,' /srv/smb/smb.conf > /tmp/smb.conf
printf '%s\n%s\n' CANARY-smb-password-a40e6c CANARY-smb-password-a40e6c \
    | smbpasswd -c /tmp/smb.conf -s -a workshop
rm /tmp/smb.conf /srv/smb/bake.sh
