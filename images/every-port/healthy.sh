# Every port is listened on. It cannot be asked: with all ports taken none is left to ask from.
while read -r name _ sockets _; do
    if [ "$name" = TCP: ]; then
        [ "$sockets" -ge 65535 ]
        exit
    fi
done < /proc/net/sockstat
