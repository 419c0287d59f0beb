# Exchanges versions and waits for the server's offer of algorithms, which it makes in the process of this
# connection: so the listener answers and can start such a process.
exec 3<> /dev/tcp/127.0.0.1/22 || exit 1
printf 'SSH-2.0-Health\r\n' >&3
read -r -t 1 banner <&3 && [[ $banner == SSH-2.0-OpenSSH* ]] || exit 1
timeout 1 head -c 400 <&3 | grep -qa ssh-ed25519
