"""Bringing files into the corpus: read row by row, staged by COPY, checked and inserted as sets in one transaction."""
