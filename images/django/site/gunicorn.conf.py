"""One worker with threads: half a processor and 512 MiB are all a target gets."""

bind = "0.0.0.0:8000"
workers = 1
threads = 4
worker_class = "gthread"
worker_tmp_dir = "/run/site"
control_socket_disable = True
accesslog = "-"
graceful_timeout = 1
