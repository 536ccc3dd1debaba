"""A dataset as a file: docs/formats.md says what each format holds.

`making` makes a file and its manifest, `formats` lists what there is, `reading` reads the rows, the rest write them.
"""
