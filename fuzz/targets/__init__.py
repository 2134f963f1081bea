"""One module per parser of foreign bytes.

Each has `SEEDS`, small inputs to start from; `parse(data)`, which feeds one input; `DOCUMENTED`, the errors
that it may raise; and `verify(data, value)`, which asserts what must hold of what `parse` returned. Any other
error, any at all from `verify`, and a failed assertion are findings.
"""
