print("task done", table.unpack(arg))
