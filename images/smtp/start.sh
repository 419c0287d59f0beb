# Queue, state and mailboxes lie in memory and end with the container; Postfix makes the queue's folders itself.
set -eu
chown postfix: /var/lib/postfix
cp -p /srv/smtp/mail/* /var/mail
exec postfix start-fg
