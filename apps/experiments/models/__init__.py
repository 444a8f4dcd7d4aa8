from apps.experiments.models.datasets import Case, Dataset, Suite
from apps.experiments.models.runs import Output, Run, RunArm, Score

__all__ = ["Case", "Dataset", "Output", "Run", "RunArm", "Score", "Suite"]
