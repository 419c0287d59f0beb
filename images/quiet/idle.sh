# Does nothing and listens nowhere. The first process of a container gets no signal that it has no handler for.
trap 'exit 0' TERM
while :; do
    sleep 3600 &
    wait $!
done
