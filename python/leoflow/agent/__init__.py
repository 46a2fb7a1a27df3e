"""The life of one execution: launcher, warm fork servers and the children that run tasks. Standard library only."""
