import sys

print("task done", *sys.argv[1:])
