"""A real test environment on one machine: servers with systemd as PID 1, networks, power switches, a judge."""
