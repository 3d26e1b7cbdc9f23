"""The command line, its data sets and its run directories. No other package imports this one."""
