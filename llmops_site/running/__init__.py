"""How Galley runs on one machine: a database, a web server, a worker and a schedule, started and stopped together."""
