"""Django's PostgreSQL backend with deadlines and checks of kept connections. Settings name it as the engine."""
