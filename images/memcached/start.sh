# The server keeps nothing on disk: a second process fills it once it listens, and then tells who connects, which
# the server's own output does not.
fill_and_watch() {
    for _ in {1..100}; do
        { exec 3<> /dev/tcp/127.0.0.1/11211; } 2> /dev/null && break
        sleep 0.05
    done
    put() { printf 'set %s 0 0 %d\r\n%s\r\n' "$1" "${#2}" "$2" >&3 && read -r -t 1 _ <&3; }
    put session:7f31 'customer=1043;token=CANARY-memcached-session-5be04a'
    put page:/sale '<h1>Spring sale</h1>'
    for sku in SKERRY-1 SKERRY-2 FELLHOUSE KITTIWAKE BOTHY; do put "stock:$sku" "$((${#sku} * 7))"; done
    put filled yes
    printf 'watch connevents\r\n' >&3
    exec cat <&3
}
fill_and_watch &
exec memcached -l 0.0.0.0 -p 11211 -U 0 -m 32 -c 128 -t 2 -vv
