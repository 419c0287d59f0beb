smbclient -s /srv/smb/smb.conf -N -t 1 -g -L //127.0.0.1 2> /dev/null | grep -q '^Disk|public|'
