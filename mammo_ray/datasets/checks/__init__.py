"""What is wrong with a data set, from its manifest and, where they were looked at, its pixels."""
