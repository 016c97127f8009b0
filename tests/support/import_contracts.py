"""Check the project's import contracts against a tree of packages, in a process of its own.

``python -m tests.support.import_contracts CONFIG TREE…`` ends with one line of JSON: for each tree the names of the
contracts that it breaks. The product is not imported; each tree's ``appliance`` and ``receiver`` stand in for it.
"""

import importlib
import json
import sys
from pathlib import Path

from importlinter import configuration
from importlinter.application import use_cases


def broken_contracts(config: Path, tree: Path) -> list[str]:
    """Give the names of the contracts of ``config`` that the packages in ``tree`` break, sorted."""
    sys.path.insert(0, str(tree))
    importlib.invalidate_caches()
    try:
        options = use_cases.read_user_options(str(config))
        use_cases._register_contract_types(options)
        report = use_cases.create_report(options, cache_dir=None)
    finally:
        sys.path.remove(str(tree))
    return sorted(contract.name for contract, check in report.get_contracts_and_checks() if not check.kept)


def main(arguments: list[str]) -> None:
    """Print the results as the last line; the linter prints its progress before."""
    configuration.configure()
    config, *trees = map(Path, arguments)
    results = [broken_contracts(config, tree) for tree in trees]
    sys.stdout.write("\n" + json.dumps(results) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
