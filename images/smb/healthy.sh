# Once: who asks without a login is told the shares, which starts the processes that tell. After that, cheaper: the
# server takes part in negotiating the protocol (SMB 2.1 or 3.0), which a process of this connection does.
if [ ! -e /run/samba/told-shares ]; then
    smbclient --configfile=/srv/smb/smb.conf -U% -g -L //127.0.0.1 2> /dev/null | grep -q '^Disk|public|' || exit 1
    : > /run/samba/told-shares
    exit 0
fi
exec 3<> /dev/tcp/127.0.0.1/445 || exit 1
printf '\0\0\0\x68\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x24\0\x02\0\x01\0\0\0\0\0\0\0\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\0\0\0\0\0\0\0\0\x10\x02\0\x03' >&3
timeout 1 head -c 200 <&3 | LC_ALL=C grep -qaP '\xfeSMB'
