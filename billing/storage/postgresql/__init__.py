"""Django's PostgreSQL backend, and what it leaves out about connections that fail: settings name it as the engine."""
