"""Number of generated requests per operation. They are the same each time."""

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
