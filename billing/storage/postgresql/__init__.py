"""Django's PostgreSQL backend with deadlines and checks of persistent connections. The ENGINE in the settings."""
