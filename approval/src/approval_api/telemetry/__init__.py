"""What operators watch: log lines and figures."""
