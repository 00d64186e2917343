"""Load the extension module from the path that is given, and use it."""

import importlib.util
import sys

spec = importlib.util.spec_from_file_location("pymod", sys.argv[1])
assert spec is not None
assert spec.loader is not None
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(module.steps(int(sys.argv[2])))
