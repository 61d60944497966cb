"""One bad object for each code that an object can break, and good ones that look odd.

Each case changes a good object; what is expected is the whole set of codes, so that nothing else is said.
"""

from tests.support import ocfl_cases_content, ocfl_cases_inventory, ocfl_cases_structure
from tests.support.ocfl_case import CASES, Case

__all__ = ["CASES", "Case", "ocfl_cases_content", "ocfl_cases_inventory", "ocfl_cases_structure"]
