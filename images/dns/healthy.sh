# Asks by TCP for the SOA of the zone; the answer names its hostmaster. Bash's own sockets: a probe costs 3 ms.
exec 3<> /dev/tcp/127.0.0.1/53 || exit 1
printf '\0\45\1\1\0\0\0\1\0\0\0\0\0\0\13pineharbour\7example\0\0\6\0\1' >&3
timeout 1 head -c 80 <&3 | grep -qa hostmaster
