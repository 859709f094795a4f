"""The command line: words for people. One file per noun, each with ``add(verbs)``; ``main`` wires."""
