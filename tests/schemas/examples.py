"""The settings that generate requests: for each operation the same ones in each run."""

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
