"""The packages: rules/ stands at the top of the repository and is imported as mlxlint.rules."""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["mlxlint", "mlxlint.*"]),
        "mlxlint.rules",
        *(f"mlxlint.rules.{family}" for family in find_packages("rules")),
    ],
    package_dir={"mlxlint.rules": "rules"},
)
