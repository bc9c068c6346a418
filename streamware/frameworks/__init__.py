"""One thin module a framework, with the same names in each."""
