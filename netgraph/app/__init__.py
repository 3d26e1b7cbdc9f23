"""The command line, its data sets and its run directories: the outermost ring."""
