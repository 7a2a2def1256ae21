// Without an assembly file the compiler wants a body for every function; some of this package's are in the runtime.
