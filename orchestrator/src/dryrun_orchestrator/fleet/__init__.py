"""Several hosts, each with an engine and a guard; one host without a fleet file is a fleet of one."""
