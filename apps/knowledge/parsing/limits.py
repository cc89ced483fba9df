"""What parsing one document may use. docs/explanation/knowledge.md lists these limits."""

MEBIBYTE = 1024 * 1024

MAX_FILE_BYTES = 20 * MEBIBYTE
"""The largest file that is read. Uploads have the same limit."""

MAX_HTML_BYTES = 10 * MEBIBYTE
"""The largest web page: its tree takes about 30 times as much memory as its text."""

MAX_PAGES = 2000
"""Pages of a PDF or slides of a presentation: a long manual has half as many."""

MAX_TEXT_CHARACTERS = 5_000_000
"""All text of a document: two thousand pages full of it."""

MAX_BLOCKS = 200_000
"""Blocks of a document; a sheet's row is one."""

MAX_LINKS = 10_000
"""Links of a web page that are reported."""

MAX_ZIP_MEMBERS = 10_000
"""Files in a DOCX, PPTX or XLSX. Two thousand slides with images have about as many."""

MAX_UNZIPPED_BYTES = 200 * MEBIBYTE
"""What a DOCX, PPTX or XLSX may hold unpacked."""

MAX_ZIP_RATIO = 200
"""How many times larger than the file its contents may be. Sheets of one value reach about 100."""

MIN_SUSPECT_BYTES = 10 * MEBIBYTE
"""Contents smaller than this are harmless, whatever their ratio."""

MAX_MARKUP_DEPTH = 200
"""Elements inside one another. What lies deeper keeps its text and loses its nesting: libraries
walk trees recursively and would exhaust the stack."""

MEMORY_BYTES = 1024 * MEBIBYTE
"""Address space of the child process; 60 MiB of it are the interpreter and the libraries."""

CPU_SECONDS = 60
"""CPU time of the child process."""

WALL_SECONDS = 150.0
"""How long the child process may take in all, on a busy machine. Tasks may run for 300 s."""

MAX_OUTPUT_BYTES = 64 * MEBIBYTE
"""The largest file that the child process can write: its result, as JSON."""

MAX_OPEN_FILES = 64
"""Files that the child process can have open."""
