# Each of its ports is listened on; to ask them all would take longer than a health check may.
while read -r name _ sockets _; do
    if [ "$name" = TCP: ]; then
        [ "$sockets" -ge 10000 ]
        exit
    fi
done < /proc/net/sockstat
