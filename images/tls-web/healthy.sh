# Both names have to answer with a page; openssl is the only TLS client in this image.
for port in 443 8443; do
    printf 'HEAD / HTTP/1.0\r\n\r\n' | timeout 2 openssl s_client -quiet -ign_eof -connect "127.0.0.1:$port" 2> /dev/null \
        | grep -q '^HTTP/1.1 200' || exit 1
done
