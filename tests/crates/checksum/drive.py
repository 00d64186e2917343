"""Loads the library that it is given, as a program of another language does, and uses it."""

import ctypes
import sys

library = ctypes.CDLL(sys.argv[1])
library.checksum.argtypes = [ctypes.c_uint32, ctypes.c_char_p, ctypes.c_size_t]
library.checksum.restype = ctypes.c_uint32
data = bytes(range(256)) * 64
total = 1
for _ in range(int(sys.argv[2])):
    total = library.checksum(total, data, len(data))
print(f"{total:08x}")
